package door

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// remembered is how long a browser need not say the password again.
	remembered = 30 * 24 * time.Hour
	// burst and pause bound the attempts of one address.
	burst = 5
	pause = 10 * time.Second
	// maxAddresses is the most addresses that are told apart.
	maxAddresses = 1024
	// maxPassword is the longest password that is read, in bytes.
	maxPassword = 1 << 10
)

// Lock asks for the chat's password. One without a password is always open. Safe
// for concurrent use.
type Lock struct {
	password string
	cookie   string // its name
	key      []byte // of the tokens in cookies

	mu       sync.Mutex
	attempts map[string]*rate.Limiter // by address
	others   *rate.Limiter            // of the addresses that didn't fit in
}

// NewLock makes a lock. Secret is random, constant and the chat's own: with the
// password it makes the key of the cookies. Browsers keep cookies of all ports of a
// host together, so chat, which tells this one from any other, is in their name.
func NewLock(password, secret, chat string) *Lock {
	key := hmac.New(sha256.New, []byte(secret))
	key.Write([]byte(password)) // never fails
	sum := sha256.Sum256([]byte(chat))
	return &Lock{
		password: password,
		cookie:   "webchat-" + hex.EncodeToString(sum[:8]),
		key:      key.Sum(nil),
		attempts: map[string]*rate.Limiter{},
		others:   newLimiter(),
	}
}

func newLimiter() *rate.Limiter { return rate.NewLimiter(rate.Every(pause), burst) }

// Opened says whether a request comes from a browser in which the password was said.
func (l *Lock) Opened(r *http.Request) bool {
	if l.password == "" {
		return true
	}
	for _, c := range r.CookiesNamed(l.cookie) {
		if l.valid(c.Value, time.Now()) {
			return true
		}
	}
	return false
}

// Only lets those requests through that Opened is true for.
func (l *Lock) Only(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !l.Opened(r) {
			http.Error(w, "This chat has a password. Open its page.", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ServeHTTP takes an attempt: the body is the password.
func (l *Lock) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !l.mayTry(r.RemoteAddr) {
		w.Header().Set("Retry-After", strconv.Itoa(int(pause/time.Second)))
		http.Error(w, "too many attempts; wait a little", http.StatusTooManyRequests)
		return
	}
	said, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPassword))
	if err != nil {
		http.Error(w, "the password could not be read", http.StatusBadRequest)
		return
	}
	// Of hashes, so that not even the length can be measured.
	a, b := sha256.Sum256(said), sha256.Sum256([]byte(l.password))
	if subtle.ConstantTimeCompare(a[:], b[:]) != 1 {
		http.Error(w, "that is not the password", http.StatusForbidden)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name:     l.cookie,
		Value:    l.token(time.Now().Add(remembered)),
		Path:     "/",
		MaxAge:   int(remembered / time.Second),
		HttpOnly: true,
		SameSite: http.SameSiteStrictMode,
		// What is behind a proxy sees no TLS; the browser says it in the origin.
		Secure: r.TLS != nil || strings.HasPrefix(r.Header.Get("Origin"), "https:"),
	})
	w.WriteHeader(http.StatusNoContent)
}

// token is "until.mac": until when the browser that has it is let in.
func (l *Lock) token(until time.Time) string {
	end := strconv.FormatInt(until.Unix(), 10)
	return end + "." + hex.EncodeToString(l.mac(end))
}

func (l *Lock) valid(token string, now time.Time) bool {
	end, sum, _ := strings.Cut(token, ".")
	got, err := hex.DecodeString(sum)
	if err != nil || !hmac.Equal(got, l.mac(end)) {
		return false
	}
	until, err := strconv.ParseInt(end, 10, 64)
	return err == nil && now.Unix() < until
}

func (l *Lock) mac(end string) []byte {
	m := hmac.New(sha256.New, l.key)
	m.Write([]byte(end)) // never fails
	return m.Sum(nil)
}

// mayTry counts an attempt of an address.
func (l *Lock) mayTry(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.attempts[host]
	if a == nil {
		if len(l.attempts) >= maxAddresses {
			l.forget()
		}
		if len(l.attempts) >= maxAddresses {
			return l.others.Allow()
		}
		a = newLimiter()
		l.attempts[host] = a
	}
	return a.Allow()
}

// forget drops the addresses that may try as often as a new one.
func (l *Lock) forget() {
	for host, a := range l.attempts {
		if a.Tokens() >= burst {
			delete(l.attempts, host)
		}
	}
}
