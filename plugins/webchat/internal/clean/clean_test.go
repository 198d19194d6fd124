package clean

import "testing"

func TestCleaning(t *testing.T) {
	for name, want := range map[string]string{
		" Ann \t\n Lee ":          "Ann Lee",
		"\u202eevil\u202c":        "evil",
		"مريم":                    "مريم",
		"👩‍👩‍👧 Family":            "👩‍👩‍👧 Family",
		"a\x00\x1b[31mb\u0085c":   "a [31mb c",
		"x\ufffe\U0010ffff\ufffd": "x\ufffd",
	} {
		if got := Name(name); got != want {
			t.Errorf("name %q became %q, want %q", name, got, want)
		}
	}
	for text, want := range map[string]string{
		"  a\r\nb\rc\td \n\n":  "  a\nb\nc\td",
		"a\x00\x1b[31mb\u0085": "a[31mb",
		"x\ufffe\U0010ffffy":   "xy",
	} {
		if got := Text(text); got != want {
			t.Errorf("text %q became %q, want %q", text, got, want)
		}
	}
}

func TestFileName(t *testing.T) {
	for name, want := range map[string]string{
		"cat.png":           "cat.png",
		"../../etc/passwd":  "_.._etc_passwd",
		`C:\\a\\b.txt`:      "C:__a__b.txt",
		".bashrc":           "bashrc",
		" \n":               "file",
		"..":                "file",
		"gnp.\u202etac.exe": "gnp.tac.exe",
	} {
		if got := FileName(name); got != want {
			t.Errorf("%q became %q, want %q", name, got, want)
		}
	}
}

func TestIsEmoji(t *testing.T) {
	for _, s := range []string{"👍", "👍🏽", "❤️", "👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🇪🇺", "1️⃣", "‼️", "ℹ️", "↔️"} {
		if !IsEmoji(s) {
			t.Errorf("%q is none", s)
		}
	}
	for _, s := range []string{"", "a", "ab", "1", "👍👍", "é", "<", " ", "\u200d", "\xff", "語", "👍 "} {
		if IsEmoji(s) {
			t.Errorf("%q is one", s)
		}
	}
}
