package page

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestOrigin(t *testing.T) {
	s := serve(t, func(o *Options) { o.Origins = []string{"https://chat.example.org", "http://[fd00::1]:8080"} })
	for origin, want := range map[string]bool{
		"":                                  true, // not a browser
		strings.TrimSuffix(s.URL(), "/"):    true,
		"https://chat.example.org":          true,
		"https://CHAT.example.org":          true,
		"http://[fd00::1]:8080":             true,
		"http://chat.example.org":           false,
		"https://chat.example.org:8443":     false,
		"https://chat.example.org.evil.net": false,
		"https://evil.example.org":          false,
		"http://localhost:1":                false,
		"http://f:8080":                     false,
		"null":                              false,
	} {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		if _, err := dial(t, s, header); (err == nil) != want {
			t.Errorf("origin %q: %v", origin, err)
		}
	}
}

func get(t *testing.T, s *Server, path, host string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		r.Host = host
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// On loopback another name that points here (DNS rebinding) gets nothing: not the
// page, and not the WebSocket, though its origin and its host agree.
func TestHost(t *testing.T) {
	s := serve(t, func(o *Options) { o.Origins = []string{"https://chat.example.org"} })
	_, port, _ := net.SplitHostPort(s.listener.Addr().String())
	for host, want := range map[string]int{
		"127.0.0.1:" + port:        http.StatusOK,
		"localhost:" + port:        http.StatusOK,
		"LocalHost:" + port:        http.StatusOK,
		"chat.example.org":         http.StatusOK, // of our own reverse proxy
		"evil.example.org:" + port: http.StatusMisdirectedRequest,
		"localhost":                http.StatusMisdirectedRequest,
		"localhost:1":              http.StatusMisdirectedRequest,
	} {
		resp, body := get(t, s, "", host)
		if resp.StatusCode != want || strings.Contains(body, "<html") != (want == http.StatusOK) {
			t.Errorf("host %s: %s, want %d", host, resp.Status, want)
		}
	}
	evil := "evil.example.org:" + port
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = evil
	r.Header = http.Header{"Origin": {"http://" + evil}, "Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="}}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("the WebSocket of another host: %s", resp.Status)
	}
}

// The files come with what keeps a browser from running anything else, and nothing
// but GET is served.
func TestFiles(t *testing.T) {
	s := serve(t)
	for path, kind := range map[string]string{"": "text/html", "app.js": "text/javascript", "style.css": "text/css", "icon.svg": "image/svg+xml"} {
		resp, body := get(t, s, path, "")
		h := resp.Header
		if resp.StatusCode != http.StatusOK || !strings.HasPrefix(h.Get("Content-Type"), kind) || body == "" {
			t.Errorf("/%s: %s, %s", path, resp.Status, h.Get("Content-Type"))
		}
		if policy := h.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("/%s: policy is %q", path, policy)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("/%s: its type may be guessed", path)
		}
		if strings.Contains(body, "innerHTML") || strings.Contains(body, "<script>") || strings.Contains(body, "style=\"") {
			t.Errorf("/%s has what the policy, or the page's own rule, forbids", path)
		}
	}
	resp, err := http.Post(s.URL(), "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", resp.Status)
	}
}

// With port 0 the port is chosen once, so that an open page finds the chat again.
func TestPortKept(t *testing.T) {
	o := options(t)
	s, err := Listen(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	url := s.URL()
	closeServer(t, s)
	if again := listenWith(t, o); again.URL() != url {
		t.Errorf("at %s, was at %s", again.URL(), url)
	}
	// Taken by another one: it is at a new address rather than nowhere.
	if third := listenWith(t, o); third.URL() == url {
		t.Errorf("two are at %s", url)
	}
}

// What only a person can put right is told from what may pass.
func TestListenErrors(t *testing.T) {
	taken := serve(t)
	for name, c := range map[string]struct {
		change func(*Options)
		option string // "": may pass
	}{
		"no port":         {func(o *Options) { o.Listen = "127.0.0.1" }, "listen"},
		"no such port":    {func(o *Options) { o.Listen = "127.0.0.1:99999" }, "listen"},
		"not our address": {func(o *Options) { o.Listen = "192.0.2.1:0" }, "listen"},
		"taken":           {func(o *Options) { o.Listen = taken.listener.Addr().String() }, ""},
		"no scheme":       {func(o *Options) { o.Origins = []string{"https://a.example", "b.example"} }, "origins/1"},
		"a path":          {func(o *Options) { o.Origins = []string{"https://a.example/"} }, "origins/0"},
		"another scheme":  {func(o *Options) { o.Origins = []string{"ftp://a.example"} }, "origins/0"},
		"nonsense":        {func(o *Options) { o.Origins = []string{"http://[::1"} }, "origins/0"},
	} {
		s, err := Listen(t.Context(), options(t, c.change))
		if err == nil {
			closeServer(t, s)
			t.Errorf("%s: it listens", name)
			continue
		}
		wrong, isOption := errors.AsType[*OptionError](err)
		if isOption != (c.option != "") || isOption && wrong.Option != c.option {
			t.Errorf("%s: %v, want it to be about %q", name, err, c.option)
		}
	}
}
