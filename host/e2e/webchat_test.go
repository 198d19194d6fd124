//go:build e2e

package e2e

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The page of a webchat, as a person uses it: by mouse, by keyboard, on a phone.

func (b *browser) click(page, selector string) {
	b.t.Helper()
	b.do("click", page, map[string]any{"selector": selector})
}

func (b *browser) fill(page, selector, text string) {
	b.t.Helper()
	b.do("fill", page, map[string]any{"selector": selector, "text": text})
}

// keys presses keys on whatever has the focus.
func (b *browser) keys(page string, keys ...string) {
	b.t.Helper()
	for _, key := range keys {
		b.do("key", page, map[string]any{"key": key})
	}
}

// types types a text into whatever has the focus.
func (b *browser) types(page, text string) {
	b.t.Helper()
	b.do("insert", page, map[string]any{"text": text})
}

// wait waits until something can be seen.
func (b *browser) wait(page, selector string) {
	b.t.Helper()
	b.do("wait", page, map[string]any{"selector": selector})
}

// until waits until a JavaScript expression is true.
func (b *browser) until(page, expression string) {
	b.t.Helper()
	b.do("until", page, map[string]any{"expression": expression})
}

func (b *browser) evaluate(page, expression string) any {
	b.t.Helper()
	return b.do("evaluate", page, map[string]any{"expression": expression})
}

// message is the selector of the message with a text.
func message(text string) string { return fmt.Sprintf(`#log .message[data-text="%s"]`, text) }

// act does something with a message by mouse.
func (b *browser) act(page, text, act string) {
	b.t.Helper()
	b.do("hover", page, map[string]any{"selector": message(text) + " .bubble"})
	b.click(page, fmt.Sprintf(`#actions [data-act=%s]`, act))
}

func picturePNG(t *testing.T, path string) {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 480, 300))
	for y := range 300 {
		for x := range 480 {
			d := math.Hypot(float64(x-340), float64(y-110))
			c := color.RGBA{uint8(250 - y/3), uint8(150 + y/5), uint8(90 + y/2), 255}
			if d < 55 {
				c = color.RGBA{255, 240, 200, 255}
			}
			if float64(y) > 220+20*math.Sin(float64(x)/60) {
				c = color.RGBA{60, 80, 130, 255}
			}
			img.Set(x, y, c)
		}
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
}

// shoot takes a screenshot if SCREENSHOTS says where to.
func (b *browser) shoot(page, name string) {
	b.t.Helper()
	if dir := os.Getenv("SCREENSHOTS"); dir != "" {
		b.screenshot(page, filepath.Join(dir, name+".png"))
	}
}

func TestPage(t *testing.T) {
	h := startPlughost(t)
	b := startBrowser(t)
	url := "http://" + h.address["north"] + "/"
	b.open("ann", url, 1280, 800, "light")
	b.open("bo", url, 390, 844, "dark")
	b.say("bo", "Bo", "Has anybody seen the ladder?")
	b.sees("ann", "Has anybody seen the ladder?")
	b.say("ann", "Ann", "Behind teh shed, I think")
	b.sees("bo", "Behind teh shed, I think")

	// Members: both have said who they are.
	for _, page := range []string{"ann", "bo"} {
		b.until(page, `document.querySelector('#members-count').textContent === '2'`)
	}
	b.click("ann", "#members-button")
	b.wait("ann", "#members li:nth-child(2)")
	if got := fmt.Sprint(b.do("texts", "ann", map[string]any{"selector": "#members li"})); got != "[Ann you Bo]" {
		t.Errorf("here are %s", got)
	}
	b.keys("ann", "Escape")

	// Edit: arrow-up in the empty field; Escape first leaves all as it was.
	b.click("ann", "#text")
	b.keys("ann", "ArrowUp")
	b.types("ann", " never mind")
	b.keys("ann", "Escape")
	b.until("ann", `document.querySelector('#text').value === '' && document.querySelector('#context').hidden`)
	b.keys("ann", "ArrowUp")
	b.fill("ann", "#text", "Behind the shed, I think")
	b.keys("ann", "Enter")
	for _, page := range []string{"ann", "bo"} {
		b.wait(page, message("Behind the shed, I think")+" .edited")
		b.sees(page, "Behind the shed, I think")
	}

	// Reply, and where it leads.
	b.act("ann", "Has anybody seen the ladder?", "reply")
	b.fill("ann", "#text", "Look there before it rains")
	b.keys("ann", "Enter")
	for _, page := range []string{"ann", "bo"} {
		b.wait(page, message("Look there before it rains")+" .quote")
	}
	b.click("bo", message("Look there before it rains")+" .quote")
	b.until("bo", `document.activeElement?.dataset.text === 'Has anybody seen the ladder?'`)

	// Reactions, by the picker and by what is there; again takes it back.
	b.act("ann", "Has anybody seen the ladder?", "react")
	b.click("ann", `#picker [data-emoji="👀"]`)
	chip := message("Has anybody seen the ladder?") + ` .reaction[data-emoji="👀"]`
	b.wait("bo", chip+`[aria-pressed="false"]`)
	b.click("bo", chip)
	b.wait("ann", chip+`[aria-label="👀 2: Ann, Bo"][aria-pressed="true"]`)
	b.click("ann", chip)
	b.wait("bo", chip+`[aria-label="👀 1: Bo"]`)

	// Typing.
	b.fill("bo", "#text", "I am")
	b.until("ann", `document.querySelector('#typing').textContent === 'Bo is writing…'`)
	b.fill("bo", "#text", "")
	b.until("ann", `document.querySelector('#typing').textContent === ''`)

	// Files: a picture is shown, what could run is only saved, too much is refused.
	dir := t.TempDir()
	picture, script, large := filepath.Join(dir, "evening.png"), filepath.Join(dir, "page.svg"), filepath.Join(dir, "large.bin")
	picturePNG(t, picture)
	write(t, script, `<svg xmlns="http://www.w3.org/2000/svg"><script>parent.hacked = true</script></svg>`)
	if err := os.Truncate(func() string { write(t, large, ""); return large }(), 26_000_000); err != nil {
		t.Fatal(err)
	}
	b.do("upload", "ann", map[string]any{"selector": "#files", "paths": []string{picture, script}})
	b.fill("ann", "#attached .alt", "The garden at sunset")
	b.until("ann", `document.querySelectorAll('#attached progress').length === 0`)
	b.shoot("ann", "composer-files")
	b.fill("ann", "#text", "From yesterday evening")
	b.keys("ann", "Enter")
	for _, page := range []string{"ann", "bo"} {
		b.wait(page, message("From yesterday evening")+` img[alt="The garden at sunset"]`)
		b.until(page, `document.querySelector('.message .image img')?.naturalWidth === 480`)
		b.wait(page, message("From yesterday evening")+` a[download="page.svg"]`)
	}
	b.do("upload", "ann", map[string]any{"selector": "#files", "paths": []string{large}})
	b.until("ann", `document.querySelector('#problem').textContent.includes('larger than 25 MB')`)

	// Delete, after being asked.
	b.say("ann", "Ann", "Oops, wrong room")
	b.sees("bo", "Oops, wrong room")
	b.act("ann", "Oops, wrong room", "delete")
	b.wait("ann", "#confirm[open]")
	b.shoot("ann", "delete")
	b.click("ann", "#confirm-yes")
	for _, page := range []string{"ann", "bo"} {
		b.wait(page, "#log .gone")
		b.until(page, `!document.querySelector('#log').textContent.includes('Oops')`)
	}
	if n := h.stored("north", "Oops, wrong room"); n != 0 {
		t.Errorf("the database has the deleted message %d times", n)
	}

	// What is the others' can't be changed; it can be answered.
	b.do("hover", "bo", map[string]any{"selector": message("Look there before it rains") + " .bubble"})
	if got := b.evaluate("bo", `[...document.querySelectorAll('#actions button:not([hidden])')].map(b => b.dataset.act).join()`); got != "react,reply" {
		t.Errorf("with Ann's message Bo can %v", got)
	}

	// All that holds after a reload, which is no leaving.
	b.evaluate("bo", `location.reload()`)
	b.connected("bo")
	b.wait("bo", message("Behind the shed, I think")+" .edited")
	b.wait("bo", message("Look there before it rains")+" .quote")
	b.wait("bo", chip+`[aria-pressed="true"]`)
	b.until("bo", `document.querySelector('#members-count').textContent === '2'`)
	b.noErrors("ann")
	b.noErrors("bo")

	for _, p := range []struct {
		page, scheme  string
		width, height int
	}{{"page-desktop-light", "light", 1280, 800}, {"page-desktop-dark", "dark", 1280, 800}, {"page-phone-light", "light", 390, 844}, {"page-phone-dark", "dark", 390, 844}} {
		b.open(p.page, url, p.width, p.height, p.scheme)
		b.sees(p.page, "Behind the shed, I think")
		b.until(p.page, `document.querySelector('.message .image img')?.complete`)
		light, dark := "rgb(255, 255, 255)", "rgb(27, 28, 35)"
		want := map[string]string{"light": light, "dark": dark}[p.scheme]
		if got := b.evaluate(p.page, `getComputedStyle(document.querySelector('.room')).backgroundColor`); got != want {
			t.Errorf("%s: the room is %v, want %s", p.page, got, want)
		}
		if wide := b.evaluate(p.page, `document.documentElement.scrollWidth > innerWidth`); wide != false {
			t.Errorf("%s: it is wider than the window", p.page)
		}
		if p.width > 1000 {
			b.do("hover", p.page, map[string]any{"selector": message("Has anybody seen the ladder?") + " .bubble"})
		}
		b.shoot(p.page, p.page)
	}
	b.do("hover", "ann", map[string]any{"selector": message("Has anybody seen the ladder?") + " .bubble"})
	b.click("ann", "#actions [data-act=react]")
	b.shoot("ann", "picker")
}

// Everything by keyboard alone.
func TestPageByKeyboard(t *testing.T) {
	h := startPlughost(t)
	b := startBrowser(t)
	b.open("ann", "http://"+h.address["north"]+"/", 1280, 800, "light")
	focused := func(what string) {
		t.Helper()
		b.until("ann", fmt.Sprintf(`document.activeElement?.matches(%q)`, what))
	}
	tabTo := func(key, what string) {
		t.Helper()
		for range 20 {
			if b.evaluate("ann", fmt.Sprintf(`document.activeElement?.matches(%q)`, what)) == true {
				return
			}
			b.keys("ann", key)
		}
		t.Fatalf("%s doesn't lead to %s", key, what)
	}
	tabTo("Tab", ".skip")
	tabTo("Tab", "#name")
	b.types("ann", "Ann")
	b.keys("ann", "Enter")
	focused("#text")
	for _, text := range []string{"one", "two", "three"} {
		b.types("ann", text)
		b.keys("ann", "Enter")
		b.sees("ann", text)
	}
	tabTo("Shift+Tab", message("three"))
	b.keys("ann", "ArrowUp", "ArrowUp")
	focused(message("one"))
	b.keys("ann", "Enter")
	focused("#actions [data-act=react]")
	b.keys("ann", "Enter")
	focused("#emoji button")
	b.keys("ann", "ArrowRight", "Enter")
	b.wait("ann", message("one")+` .reaction[data-emoji="❤️"]`)
	focused(message("one"))
	b.keys("ann", "Enter", "ArrowRight", "Enter")
	focused("#text")
	b.types("ann", "answer")
	b.keys("ann", "Enter")
	b.wait("ann", message("answer")+" .quote")
	tabTo("Shift+Tab", message("answer"))
	b.keys("ann", "Home", "End", "ArrowUp", "e")
	focused("#text")
	b.types("ann", " and a half")
	b.keys("ann", "Enter")
	b.sees("ann", "three and a half")
	tabTo("Shift+Tab", `.message[tabindex="0"]`)
	b.keys("ann", "Home", "ArrowDown", "Delete")
	focused("#confirm-no")
	b.keys("ann", "Tab", "Enter")
	b.wait("ann", "#log .gone")
	focused("#text")
	tabTo("Shift+Tab", `.message[tabindex="0"]`)
	b.keys("ann", "Escape")
	focused("#text")
	tabTo("Shift+Tab", "#members-button")

	// What is read out has words: every control a name, every picture a text.
	nameless := b.evaluate("ann", `[...document.querySelectorAll('button, input:not([hidden]), textarea, [role], dialog, a')]
		.filter(e => !e.getAttribute('aria-label') && !e.getAttribute('aria-labelledby') && !e.textContent.trim() && !e.labels?.length && !['status', 'alert'].includes(e.getAttribute('role')))
		.map(e => e.outerHTML.slice(0, 80)).join('\n')`)
	if nameless != "" {
		t.Errorf("without a name:\n%v", nameless)
	}
	if live := b.evaluate("ann", `document.querySelector('[role=log]').getAttribute('aria-live')`); live != "polite" {
		t.Errorf("what comes is read out %v", live)
	}
	b.noErrors("ann")
}

// Scrolling up shows what is older, and stays where one reads.
func TestPageScrollsBack(t *testing.T) {
	h := startPlughost(t)
	b := startBrowser(t)
	url := "http://" + h.address["north"] + "/"
	b.open("ann", url, 1280, 800, "light")
	b.fill("ann", "#name", "Ann")
	const many = 250
	b.evaluate("ann", fmt.Sprintf(`(async () => {
		const text = document.querySelector('#text');
		for (let i = 0; i < %d; i++) {
			text.value = 'message ' + i;
			document.querySelector('#composer').requestSubmit();
			if (i %% 50 === 49) await new Promise(done => setTimeout(done, 500));
		}
	})()`, many))
	b.sees("ann", fmt.Sprint("message ", many-1))
	b.open("bo", url, 390, 844, "light")
	b.sees("bo", fmt.Sprint("message ", many-1))
	if n := b.evaluate("bo", `document.querySelectorAll('#log .message').length`); n != float64(100) {
		t.Errorf("at first there are %v messages", n)
	}
	b.evaluate("bo", `document.querySelector('#scroll').scrollTop = 0`)
	b.until("bo", `document.querySelectorAll('#log .message').length > 100`)
	if top := b.evaluate("bo", `document.querySelector('#scroll').scrollTop`); top.(float64) < 500 {
		t.Errorf("what was read has gone down: scrolled to %v", top)
	}
	b.until("bo", fmt.Sprintf(`document.querySelector('#scroll').scrollTop = 0, document.querySelectorAll('#log .message').length === %d`, many))
	b.until("bo", `document.querySelector('#older').textContent === 'This is where the room begins'`)
	got := b.do("texts", "bo", map[string]any{"selector": "#log .bubble"}).([]any)
	for i, text := range got {
		if text != fmt.Sprint("message ", i) {
			t.Fatalf("message %d is %v", i, text)
		}
	}
	if days := b.do("texts", "bo", map[string]any{"selector": "#log .day"}).([]any); len(days) != 1 {
		t.Errorf("days: %v", days)
	}
	// Who reads above is not pulled down.
	b.say("ann", "Ann", "news")
	b.wait("bo", "#newest")
	if top := b.evaluate("bo", `document.querySelector('#scroll').scrollTop`); top.(float64) > 1000 {
		t.Errorf("pulled down to %v", top)
	}
	b.click("bo", "#newest")
	b.until("bo", `(s => s.scrollHeight - s.scrollTop - s.clientHeight < 5)(document.querySelector('#scroll'))`)
	b.noErrors("bo")
}

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

// With a password nothing is shown until it is said; then the browser is known.
func TestPagePassword(t *testing.T) {
	h := startPlughost(t, `password: "open sesame"`)
	b := startBrowser(t)
	url := "http://" + h.address["north"] + "/"
	b.do("open", "ann", map[string]any{"url": url, "width": 390, "height": 844, "scheme": "light"})
	b.wait("ann", "#unlock[open]")
	if title := b.evaluate("ann", `document.querySelector('#title').textContent`); title != "Webchat" {
		t.Errorf("the title is told: %v", title)
	}
	b.types("ann", "sesame")
	b.keys("ann", "Enter")
	b.until("ann", `document.querySelector('#unlock-problem').textContent === 'That is not the password.'`)
	b.shoot("ann", "password")
	b.fill("ann", "#password", "open sesame")
	b.keys("ann", "Enter")
	b.connected("ann")
	b.say("ann", "Ann", "inside")
	b.sees("ann", "inside")
	b.evaluate("ann", `location.reload()`)
	b.connected("ann")
	b.sees("ann", "inside")
	if cookie := b.evaluate("ann", `document.cookie`); cookie != "" {
		t.Errorf("scripts can read the cookie: %v", cookie)
	}
	for _, e := range b.do("errors", "ann", nil).([]any) {
		if !strings.Contains(fmt.Sprint(e), "403") { // the wrong password
			t.Errorf("an error: %v", e)
		}
	}
}
