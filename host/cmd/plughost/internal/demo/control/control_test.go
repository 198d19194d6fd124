package control

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds everything that a test waits for.
const patience = 30 * time.Second

func listen(t *testing.T) *Control {
	t.Helper()
	c, err := Listen([]string{"kill north"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// post presses a button; header is of pairs.
func post(t *testing.T, c *Control, line string, header ...string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.URL()+"command", strings.NewReader(url.Values{"line": {line}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// Commands reach the demo from our own page, and from nowhere else.
func TestCommand(t *testing.T) {
	c := listen(t)
	got := make(chan string, 1)
	go func() { got <- <-c.Commands() }()
	for name, status := range map[string]int{
		"another site":       post(t, c, "kill north", "Origin", "https://evil.example"),
		"another port":       post(t, c, "kill north", "Origin", "http://127.0.0.1:1", "Sec-Fetch-Site", "same-site"),
		"a name that points": post(t, c, "kill north", "Host", "evil.example", "Origin", "http://evil.example"),
		"no button":          post(t, c, "quit", "Origin", strings.TrimSuffix(c.URL(), "/")),
		"nothing":            post(t, c, ""),
		"far too much":       post(t, c, strings.Repeat("x", 2<<10)),
	} {
		if status < 400 {
			t.Errorf("%s: %d", name, status)
		}
	}
	select {
	case line := <-got:
		t.Fatalf("%q was let in", line)
	default:
	}
	if status := post(t, c, "kill north", "Origin", strings.TrimSuffix(c.URL(), "/"), "Sec-Fetch-Site", "same-origin"); status != http.StatusNoContent {
		t.Errorf("our own page: %d", status)
	}
	if line := <-got; line != "kill north" {
		t.Errorf("the demo was given %q", line)
	}
}

// The page is told how it is, and each change.
func TestState(t *testing.T) {
	c := listen(t)
	c.Show(State{Host: Process{State: "ready", Pid: 7}})
	client := &http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	resp, err := client.Get(c.URL() + "state")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Errorf("it is %s", kind)
	}
	events := bufio.NewReader(resp.Body)
	until := func(what string, holds func(State) bool) {
		t.Helper()
		for {
			line, err := events.ReadString('\n')
			if err != nil {
				t.Fatalf("until %s: %v", what, err)
			}
			data, is := strings.CutPrefix(line, "data: ")
			if !is {
				continue
			}
			var s State
			if err := json.Unmarshal([]byte(data), &s); err != nil {
				t.Fatal(err)
			}
			if holds(s) {
				return
			}
		}
	}
	until("it is as it was", func(s State) bool { return s.Host.Pid == 7 })
	for i := range maxLines + 10 {
		c.Said(fmt.Sprint("line ", i))
	}
	c.Show(State{Host: Process{State: "stopped"}, Plugs: []Plug{{Name: "north", Address: "http://127.0.0.1:1/"}}})
	until("it is stopped", func(s State) bool {
		if s.Host.State != "stopped" {
			return false
		}
		if n := len(s.Lines); n != maxLines || s.Lines[n-1].Text != fmt.Sprint("line ", maxLines+9) || s.Lines[0].Text != "line 10" {
			t.Errorf("%d lines, from %+v to %+v", n, s.Lines[0], s.Lines[n-1])
		}
		return len(s.Plugs) == 1 && s.Plugs[0].Address != ""
	})
}

// The page runs no script but its own, is in nobody's frame, and asks nobody else.
func TestPage(t *testing.T) {
	c := listen(t)
	for path, want := range map[string]string{"": "plughost demo", "app.js": "EventSource", "style.css": ":root"} {
		resp, err := http.Get(c.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("/%s: %s, %v", path, resp.Status, err)
		}
		if policy := resp.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("/%s: the policy is %q", path, policy)
		}
		if strings.Contains(string(body), "https://") {
			t.Errorf("/%s names another site", path)
		}
	}
}

// Whoever watches does not keep the demo from ending, and pages are bounded.
func TestCloseAndPages(t *testing.T) {
	c := listen(t)
	client := &http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	var watching []*http.Response
	for i := range maxPages + 1 {
		resp, err := client.Get(c.URL() + "state")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if want := map[bool]int{true: http.StatusOK, false: http.StatusServiceUnavailable}[i < maxPages]; resp.StatusCode != want {
			t.Errorf("page %d: %s", i, resp.Status)
		}
		watching = append(watching, resp)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, watching[0].Body); err != nil {
		t.Errorf("the page was not ended but cut: %v", err)
	}
}
