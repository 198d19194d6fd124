package door

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// try says a password and gives what the lock answers.
func try(l *Lock, address, password string, header ...string) *http.Response {
	r := httptest.NewRequest(http.MethodPost, "/unlock", strings.NewReader(password))
	r.RemoteAddr = address
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	l.ServeHTTP(w, r)
	return w.Result()
}

func with(c *http.Cookie) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if c != nil {
		r.AddCookie(c)
	}
	return r
}

func TestLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLock("sesame", "secret", "this")
		if resp := try(l, "192.0.2.1:1", "Sesame"); resp.StatusCode != http.StatusForbidden || len(resp.Cookies()) != 0 {
			t.Errorf("the wrong password: %s, %v", resp.Status, resp.Cookies())
		}
		resp := try(l, "192.0.2.1:1", "sesame")
		if resp.StatusCode != http.StatusNoContent || len(resp.Cookies()) != 1 {
			t.Fatalf("the password: %s, %v", resp.Status, resp.Cookies())
		}
		c := resp.Cookies()[0]
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || c.Path != "/" || strings.Contains(c.String(), "sesame") {
			t.Errorf("the cookie is %s", c)
		}
		if resp := try(l, "192.0.2.1:1", "sesame", "Origin", "https://chat.example.org"); !resp.Cookies()[0].Secure {
			t.Error("over TLS the cookie is not kept to it")
		}
		if !l.Opened(with(c)) || l.Opened(with(nil)) {
			t.Error("it is not the cookie that opens")
		}
		forged := *c
		forged.Value = "9999999999" + strings.TrimLeft(c.Value, "0123456789")
		for name, is := range map[string]bool{
			"a cookie whose end was moved":  l.Opened(with(&forged)),
			"the cookie at another chat":    NewLock("sesame", "other", "this").Opened(with(c)),
			"the cookie of an old password": NewLock("other", "secret", "this").Opened(with(c)),
			"the cookie by another name":    NewLock("sesame", "secret", "that").Opened(with(c)),
			"nonsense":                      l.Opened(with(&http.Cookie{Name: c.Name, Value: "x"})),
			"nothing":                       l.Opened(with(&http.Cookie{Name: c.Name, Value: ""})),
		} {
			if is {
				t.Errorf("%s opens", name)
			}
		}
		if !NewLock("sesame", "secret", "this").Opened(with(c)) {
			t.Error("after a restart the cookie doesn't open")
		}
		time.Sleep(remembered + time.Second)
		if l.Opened(with(c)) {
			t.Error("it opens for ever")
		}
		if !NewLock("", "secret", "this").Opened(with(nil)) {
			t.Error("without a password it is closed")
		}
	})
}

// Trying out passwords takes time, and only of those who do it.
func TestAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLock("sesame", "secret", "this")
		tries := func(address string) (n int) {
			for try(l, address, "x").StatusCode == http.StatusForbidden {
				n++
			}
			return n
		}
		if n := tries("192.0.2.1:1"); n != burst {
			t.Errorf("%d attempts", n)
		}
		resp := try(l, "192.0.2.1:2", "sesame") // by another port
		if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
			t.Errorf("one more: %s", resp.Status)
		}
		if try(l, "192.0.2.2:1", "sesame").StatusCode != http.StatusNoContent {
			t.Error("somebody else has to wait too")
		}
		time.Sleep(pause)
		if n := tries("192.0.2.1:1"); n != 1 {
			t.Errorf("after a pause: %d attempts", n)
		}
		for i := range maxAddresses {
			try(l, fmt.Sprintf("[2001:db8::%x]:1", i), "x")
		}
		if len(l.attempts) > maxAddresses {
			t.Errorf("%d addresses are remembered", len(l.attempts))
		}
		if n := tries("[2001:db8:1::1]:1") + tries("[2001:db8:1::2]:1"); n > burst {
			t.Errorf("addresses that don't fit in have %d attempts", n)
		}
		time.Sleep(burst * pause)
		tries("[2001:db8:1::1]:1")
		if len(l.attempts) != 1 {
			t.Errorf("%d addresses are remembered for nothing", len(l.attempts))
		}
	})
}
