package plug

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Config decodes the instance's config into a pointer to the struct that
// Definition.Config showed. The host has checked it against that struct's schema; an
// error is a BadConfig all the same, to be returned from Start: a field that the
// struct does not know, say.
func (s *Session) Config(into any) error { return DecodeConfig(s.config, into) }

// DecodeConfig decodes a config as Session.Config does: for a ConfigValidator.
func DecodeConfig(configJSON string, into any) error {
	decoder := json.NewDecoder(strings.NewReader(configJSON))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return BadConfig(pointer(wrong.Field), fmt.Errorf("a %s does not fit here", wrong.Value))
		}
		return BadConfig("", fmt.Errorf("decode the config: %w", err))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return BadConfig("", errors.New("decode the config: there is something behind it"))
	}
	return nil
}

// pointer makes a JSON Pointer (RFC 6901) of the path that encoding/json gives.
func pointer(path string) string {
	if path == "" {
		return ""
	}
	return "/" + strings.ReplaceAll(path, ".", "/")
}
