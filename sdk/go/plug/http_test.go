package plug

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

func TestFromHTTPStatus(t *testing.T) {
	for code, want := range map[int]plugv1.Verdict{
		200: plugv1.Verdict_VERDICT_UNSPECIFIED,
		204: plugv1.Verdict_VERDICT_UNSPECIFIED,
		303: plugv1.Verdict_VERDICT_UNCERTAIN,
		308: plugv1.Verdict_VERDICT_REFUSED,
		400: plugv1.Verdict_VERDICT_REFUSED,
		401: plugv1.Verdict_VERDICT_LOGGED_OUT,
		403: plugv1.Verdict_VERDICT_REFUSED,
		404: plugv1.Verdict_VERDICT_REFUSED,
		408: plugv1.Verdict_VERDICT_NOT_SENT,
		410: plugv1.Verdict_VERDICT_REFUSED,
		425: plugv1.Verdict_VERDICT_NOT_SENT,
		429: plugv1.Verdict_VERDICT_RATE_LIMITED,
		500: plugv1.Verdict_VERDICT_UNCERTAIN,
		501: plugv1.Verdict_VERDICT_UNSUPPORTED,
		502: plugv1.Verdict_VERDICT_UNCERTAIN,
		503: plugv1.Verdict_VERDICT_UNCERTAIN,
		504: plugv1.Verdict_VERDICT_UNCERTAIN,
	} {
		if got := VerdictOf(FromHTTP(&http.Response{StatusCode: code}, nil)); got != want {
			t.Errorf("status %d: %v, want %v", code, got, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"":                              defaultRetryAfter,
		"7":                             7 * time.Second,
		"1.5":                           1500 * time.Millisecond,
		"-3":                            defaultRetryAfter,
		"NaN":                           defaultRetryAfter,
		"1e300":                         maxRetryAfter,
		"soon":                          defaultRetryAfter,
		"Mon, 02 Jan 2006 15:04:05 GMT": defaultRetryAfter,
		"Mon, 02 Jan 2186 15:04:05 GMT": maxRetryAfter,
	} {
		r := &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {header}}}
		if got := putFailure(FromHTTP(r, nil)).GetRetryAfter().AsDuration(); got != want {
			t.Errorf("Retry-After %q: %v, want %v", header, got, want)
		}
	}
}

// What a real client answers: nothing is certain once a request may have been read.
func TestFromHTTPTransport(t *testing.T) {
	post := func(ctx context.Context, url string) error {
		client := &http.Client{Transport: &http.Transport{}}
		defer client.CloseIdleConnections()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/bot-secret-token/send", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		return FromHTTP(resp, err)
	}
	check := func(what string, err error, want plugv1.Verdict) {
		t.Helper()
		if VerdictOf(err) != want {
			t.Fatalf("%s: %v (%v), want %v", what, VerdictOf(err), err, want)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the words hold the address: %v", what, err)
		}
	}

	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	check("connection refused", post(t.Context(), "http://"+closed.Addr().String()), plugv1.Verdict_VERDICT_NOT_SENT)
	check("no such host", FromHTTP(nil, &net.DNSError{Err: "no such host", Name: "chat.example", IsNotFound: true}), plugv1.Verdict_VERDICT_NOT_SENT)

	reset := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, _ := w.(http.Hijacker).Hijack()
		conn.Close() // the request was read, the answer never comes
	}))
	defer reset.Close()
	check("connection cut after the request", post(t.Context(), reset.URL), plugv1.Verdict_VERDICT_UNCERTAIN)

	ctx, cancel := context.WithCancel(t.Context())
	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done() // the client is gone
	}))
	defer silent.Close()
	check("given up after the request", post(ctx, silent.URL), plugv1.Verdict_VERDICT_UNCERTAIN)

	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	go func() {
		conn, err := plain.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = bufio.NewReader(conn).ReadByte()
		_, _ = conn.Write([]byte("220 this is no TLS\r\n"))
	}()
	check("no TLS there", post(t.Context(), "https://"+plain.Addr().String()), plugv1.Verdict_VERDICT_NOT_SENT)

	strange := httptest.NewUnstartedServer(http.NotFoundHandler())
	strange.Config.ErrorLog = log.New(io.Discard, "", 0)
	strange.StartTLS()
	defer strange.Close()
	check("unknown certificate", post(t.Context(), strange.URL), plugv1.Verdict_VERDICT_NOT_SENT)
	check("anything else", FromHTTP(nil, errors.New("unexpected EOF")), plugv1.Verdict_VERDICT_UNCERTAIN)
}
