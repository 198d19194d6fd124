package door

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Door decides who gets in. It is filled before the first request, and then read
// only.
type Door struct {
	hosts   []string // Host headers that are ours, lower case
	anyHost bool     // we listen to a network, and don't know all names we have there
	origins []string // of admitted pages, as patterns of the WebSocket library
	crosses *http.CrossOriginProtection
}

// New makes a door through which nobody gets yet.
func New() *Door { return &Door{crosses: http.NewCrossOriginProtection()} }

// Admit lets pages of another origin in: those that a reverse proxy serves for us.
func (d *Door) Admit(origin string) error {
	u, err := url.Parse(origin)
	if err != nil {
		return errors.New("it is not a URL")
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || origin != u.Scheme+"://"+u.Host {
		return fmt.Errorf("%q is not an origin: write scheme and host without a path, as https://chat.example.org", origin)
	}
	d.hosts = append(d.hosts, strings.ToLower(u.Host)) // a proxy that passes Host on
	d.origins = append(d.origins, quotePattern.Replace(origin))
	return d.crosses.AddTrustedOrigin(origin)
}

// Origins are those of the pages that were admitted, as patterns of the WebSocket
// library.
func (d *Door) Origins() []string { return d.origins }

// AnyHost lets requests in under any name.
func (d *Door) AnyHost() { d.anyHost = true }

// quotePattern takes the meaning from the special characters of path.Match, by which
// the library compares: an IPv6 host has brackets.
var quotePattern = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// ListensAt adds the names of the address that we listen on. On loopback these are
// all: a page elsewhere that had its own name point here (DNS rebinding) sends that
// name as Host, and gets nothing.
func (d *Door) ListensAt(a *net.TCPAddr, configured string) {
	if !a.IP.IsLoopback() {
		d.anyHost = true
		return
	}
	for _, name := range []string{"localhost", a.IP.String(), configured} {
		d.hosts = append(d.hosts, strings.ToLower(net.JoinHostPort(name, strconv.Itoa(a.Port))))
		if a.Port == 80 { // browsers leave it out
			d.hosts = append(d.hosts, strings.ToLower(name))
		}
	}
}

// policy is what the browser may do on our page: run and load what we serve, show
// what it is about to upload, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Guard lets only requests in that name us as their host, and requests that change
// something only from our own pages. The WebSocket's origin is checked when it is
// accepted.
func (d *Door) Guard(next http.Handler) http.Handler {
	inside := d.crosses.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache")
		if !d.anyHost && !slices.Contains(d.hosts, strings.ToLower(r.Host)) {
			http.Error(w, "This chat is not at that address.", http.StatusMisdirectedRequest)
			return
		}
		inside.ServeHTTP(w, r)
	})
}
