//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

// shots is where screenshots go: SCREENSHOTS, else bin/shots.
func shots(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		dir = filepath.Join(root(t), "bin", "shots")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestBridgeInBrowser does everything in one page, and sees it in the other.
func TestBridgeInBrowser(t *testing.T) {
	h := startPlughost(t)
	b := startBrowser(t)
	dir := shots(t)
	north, south := "http://"+h.address["north"]+"/", "http://"+h.address["south"]+"/"
	b.open("ann", north, 1280, 800, "light")
	b.open("bo", south, 390, 844, "dark")

	b.say("ann", "Ann", "Who brings the cake on Saturday?")
	b.sees("bo", "Who brings the cake on Saturday?")
	b.fill("bo", "#name", "Bo")
	b.fill("bo", "#text", "I")
	b.until("ann", `document.querySelector('#typing').textContent === 'Bo [South] is writing…'`)
	b.screenshot("ann", filepath.Join(dir, "bridge-typing.png"))
	b.fill("bo", "#text", "")
	b.until("ann", `document.querySelector('#typing').textContent === ''`)

	// A reply, from a copy to a copy.
	b.act("bo", "Who brings the cake on Saturday?", "reply")
	b.fill("bo", "#text", "I do. Aplle, as ever")
	b.keys("bo", "Enter")
	b.wait("ann", message("I do. Aplle, as ever")+" .quote")
	b.click("ann", message("I do. Aplle, as ever")+" .quote")
	b.until("ann", `document.activeElement?.dataset.text === 'Who brings the cake on Saturday?'`)

	// An edit: in place.
	b.act("bo", "I do. Aplle, as ever", "edit")
	b.fill("bo", "#text", "I do. Apple, as ever")
	b.keys("bo", "Enter")
	b.wait("ann", message("I do. Apple, as ever")+" .edited")
	b.wait("ann", message("I do. Apple, as ever")+" .quote")
	b.sees("ann", "I do. Apple, as ever")

	// Reactions, both ways, and taken back.
	chip := func(text, emoji string) string { return message(text) + ` .reaction[data-emoji="` + emoji + `"]` }
	b.act("ann", "I do. Apple, as ever", "react")
	b.click("ann", `#picker [data-emoji="🎉"]`)
	b.wait("bo", chip("I do. Apple, as ever", "🎉")+`[aria-label="🎉 1: Ann [North]"]`)
	b.click("bo", chip("I do. Apple, as ever", "🎉"))
	b.wait("ann", chip("I do. Apple, as ever", "🎉")+`[aria-label^="🎉 2: "]`)
	b.act("bo", "Who brings the cake on Saturday?", "react")
	b.click("bo", `#picker [data-emoji="👀"]`)
	b.wait("ann", chip("Who brings the cake on Saturday?", "👀"))
	b.click("bo", chip("Who brings the cake on Saturday?", "👀"))
	b.do("wait", "ann", map[string]any{"selector": chip("Who brings the cake on Saturday?", "👀"), "state": "detached"})

	// A picture, with a word of what it shows.
	picture := filepath.Join(t.TempDir(), "evening.png")
	picturePNG(t, picture)
	b.do("upload", "ann", map[string]any{"selector": "#files", "paths": []string{picture}})
	b.fill("ann", "#attached .alt", "The garden at sunset")
	b.until("ann", `document.querySelectorAll('#attached progress').length === 0`)
	b.fill("ann", "#text", "We meet **here**, at `18:30`")
	b.keys("ann", "Enter")
	b.wait("bo", `.message .image img[alt="The garden at sunset"]`)
	b.until("bo", `document.querySelector('.message .image img')?.naturalWidth === 480`)
	b.until("bo", `document.querySelector('.message .bubble strong')?.textContent === 'here'`)

	b.say("bo", "Bo", "/me puts on an apron")
	b.until("ann", `[...document.querySelectorAll('.message')].some(m => m.textContent.includes('puts on an apron') && !m.textContent.includes('/me'))`)

	// A delete.
	b.say("ann", "Ann", "Don't tell Cy about the cake")
	b.sees("bo", "Don't tell Cy about the cake")
	b.act("ann", "Don't tell Cy about the cake", "delete")
	b.click("ann", "#confirm-yes")
	for _, page := range []string{"ann", "bo"} {
		b.wait(page, "#log .gone")
		b.until(page, `!document.querySelector('#log').textContent.includes('Don\'t tell')`)
	}
	b.say("ann", rightToLeft, hebrew+" "+emoji)
	b.sees("bo", hebrew+" "+emoji)
	b.noErrors("ann")
	b.noErrors("bo")

	for _, p := range []struct {
		page, url, scheme string
		width, height     int
	}{{"bridge-desktop-light", north, "light", 1280, 800}, {"bridge-desktop-dark", south, "dark", 1280, 800}, {"bridge-phone", south, "light", 390, 844}} {
		b.open(p.page, p.url, p.width, p.height, p.scheme)
		b.sees(p.page, hebrew+" "+emoji)
		b.until(p.page, `document.querySelector('.message .image img')?.complete`)
		b.until(p.page, `(s => s.scrollHeight - s.scrollTop - s.clientHeight < 5)(document.querySelector('#scroll'))`)
		if wide := b.evaluate(p.page, `document.documentElement.scrollWidth > innerWidth`); wide != false {
			t.Errorf("%s: it is wider than the window", p.page)
		}
		b.screenshot(p.page, filepath.Join(dir, p.page+".png"))
	}
}
