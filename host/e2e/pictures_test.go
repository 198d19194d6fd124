//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"testing"
)

// Whoever speaks on another network is shown with their picture, if it is one that a
// browser may show; else with their initials.
func TestPageShowsPictures(t *testing.T) {
	picture := filepath.Join(t.TempDir(), "picture.png")
	picturePNG(t, picture)
	h := startPlughostWith(t, []plugConfig{{
		name: "studio", config: fmt.Sprintf("{use: painter, config: {picture: %q}}", picture),
		members: []string{"{channel: studio/studio, direction: in}"}, source: "./testdata/painter",
	}})
	b := startBrowser(t)
	for _, p := range []struct {
		page, scheme  string
		width, height int
	}{{"pictures-desktop", "light", 1280, 800}, {"pictures-phone", "dark", 390, 844}} {
		b.open(p.page, "http://"+h.address["north"]+"/", p.width, p.height, p.scheme)
		b.sees(p.page, "I have none")
		shown := message("I have a picture") + ` img.avatar[alt="Picture of Clara Peeters [Painters]"]`
		b.wait(p.page, shown)
		b.until(p.page, fmt.Sprintf(`document.querySelector(%q).naturalWidth === 480`, shown))
		for text, initials := range map[string]string{"mine would do harm": "M", "I have none": "OD"} {
			if got := b.evaluate(p.page, fmt.Sprintf(`document.querySelector(%q)?.textContent`, message(text)+" span.avatar")); got != initials {
				t.Errorf("%s: beside %q is %v, want %s", p.page, text, got, initials)
			}
		}
		b.shoot(p.page, p.page)
		b.noErrors(p.page)
	}
	// A picture that doesn't load leaves the initials.
	b.evaluate("pictures-desktop", `document.querySelector('img.avatar').src = 'files/gone'`)
	b.until("pictures-desktop", fmt.Sprintf(`document.querySelector(%q)?.textContent === 'CP'`, message("I have a picture")+" span.avatar"))
}
