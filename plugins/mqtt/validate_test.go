package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// What can't work is found without a broker, all of it, each with its field.
func TestValidateConfig(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	none := filepath.Join(t.TempDir(), "none.pem")
	if err := os.WriteFile(none, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	client := plugv1.NewConfigValidatorClient(launch(t).conn)
	for config, want := range map[string][]string{
		`{"server": "mqtt://localhost"}`: nil,
		fmt.Sprintf(`{"server": "mqtts://localhost", "tls": {"ca_file": %q}}`, a.file("ca.crt")): nil,
		fmt.Sprintf(`{"server": "mqtts://localhost", "tls": {"ca_file": %q}}`, none):             {"/tls/ca_file"},
		`{"server": "mqtts://localhost", "tls": {"key_file": "k"}}`:                              {"/tls/certificate_file"},
		`{"server": "mqtt://localhost", "tls": {}, "username": "a\u0000", "channels": {"a/b": {"publish": "#"}}}`: {
			"/username", "/tls", "/channels/a~1b/publish"},
		`{"server": "http://localhost"}`: {"/server"},
		`{"server": 5}`:                  {"/server"},
	} {
		resp, err := client.ValidateConfig(t.Context(), &plugv1.ValidateConfigRequest{ConfigJson: config})
		var got []string
		for _, p := range resp.GetProblems() {
			got = append(got, p.GetField())
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", config, resp.GetProblems(), err, want)
		}
	}
}
