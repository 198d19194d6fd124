package value

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/plughost/plughost/host/internal/config/document"
)

// maxSecret is the largest file of a secret, in bytes.
const maxSecret = 64 << 10

// secretError says why a secret could not be filled in.
type secretError struct{ what, cure string }

func (e *secretError) Error() string { return e.what }

// expand fills ${env:NAME} and ${file:PATH} into a text; "$${" stands for "${".
// What is filled in is not read again. PATH is relative to dir.
func expand(text, dir string) (string, *secretError) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "${")
		if !found {
			b.WriteString(before)
			return b.String(), nil
		}
		if literal, escaped := strings.CutSuffix(before, "$"); escaped {
			b.WriteString(literal + "${")
			text = after
			continue
		}
		b.WriteString(before)
		reference, rest, closed := strings.Cut(after, "}")
		if !closed {
			return "", &secretError{"a ${ has no }", `close it, or write $${ for the two characters "${"`}
		}
		secret, err := resolve(reference, dir)
		if err != nil {
			return "", err
		}
		b.WriteString(secret)
		text = rest
	}
}

// resolve gives what a reference such as "env:NAME" stands for.
func resolve(reference, dir string) (string, *secretError) {
	source, name, _ := strings.Cut(reference, ":")
	switch {
	case source == "env" && name != "":
		secret, set := os.LookupEnv(name)
		if !set {
			return "", &secretError{fmt.Sprintf("environment variable %s is not set", name), "set it where plughost is started, or use ${file:/path}"}
		}
		return usable(secret, "environment variable "+name)
	case source == "file" && name != "":
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return secretFile(name)
	}
	// What stands in the braces may be a secret that was pasted there.
	return "", &secretError{"a ${…} is neither ${env:NAME} nor ${file:/path}", `use one of them, or write $${ for the two characters "${"`}
}

func secretFile(path string) (string, *secretError) {
	content, err := document.ReadFile(path, maxSecret)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", &secretError{fmt.Sprintf("there is no file %s", path), "write the secret into it, readable for plughost's user only"}
	case errors.Is(err, fs.ErrPermission):
		return "", &secretError{fmt.Sprintf("file %s must not be read", path), "make it readable for the user that plughost runs as"}
	case err != nil:
		return "", &secretError{err.Error(), "let it be a small text file with nothing but the secret"}
	}
	// Editors and echo end a file with a line break, which is never meant.
	secret := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	return usable(secret, "file "+path)
}

// usable refuses what cannot be meant as a secret, or is none in JSON.
func usable(secret, where string) (string, *secretError) {
	switch {
	case secret == "":
		return "", &secretError{where + " is empty", "put the secret there"}
	case !utf8.ValidString(secret):
		return "", &secretError{where + " is not valid UTF-8", "encode it as text, such as base64, if the plug takes that"}
	}
	return secret, nil
}
