package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// authority makes certificates, as files in a directory.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert, a.key = a.make("ca", template, nil, nil)
	return a
}

// make signs a certificate, by itself if there is no parent.
func (a *authority) make(name string, template, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	if parent == nil {
		parent, by = template, key
	}
	template.SerialNumber, _ = rand.Int(rand.Reader, big.NewInt(1<<62))
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		name + ".crt": {Type: "CERTIFICATE", Bytes: der},
		name + ".key": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(a.file(file), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// TLS: the broker's certificate is always checked, our own is shown where it is asked for,
// and messages go both ways.
func TestTLS(t *testing.T) {
	t.Parallel()
	a, stranger := newAuthority(t), newAuthority(t)
	a.make("broker", &x509.Certificate{
		Subject: pkix.Name{CommonName: "broker"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
	}, a.cert, a.key)
	a.make("plug", &x509.Certificate{
		Subject:     pkix.Name{CommonName: "plug"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
	}, a.cert, a.key)
	port := freePort(t)
	b := startBroker(t, "listener "+strconv.Itoa(port)+" 127.0.0.1",
		"cafile "+a.file("ca.crt"), "certfile "+a.file("broker.crt"), "keyfile "+a.file("broker.key"), "require_certificate true")
	url := "mqtts://127.0.0.1:" + strconv.Itoa(port)
	full := settings{"ca_file": a.file("ca.crt"), "certificate_file": a.file("plug.crt"), "key_file": a.file("plug.key")}

	h, _ := start(t, t.TempDir(), at(url).with("tls", full), "a")
	s := h.open()
	d := b.device("watcher", "a")
	b.publish("a", "in")
	s.untilText("in")
	h.mustPut("a", operation(1), strings.Repeat("x", 100000))
	if heard := d.hears("%p"); len(heard) != 2 || len(heard[1]) != 100000 {
		t.Errorf("heard %d", len(heard))
	}

	for _, c := range []struct {
		name    string
		url     string
		tls     settings
		verdict plugv1.StartVerdict
		field   string
	}{
		{"unknown authority", url, settings{"certificate_file": a.file("plug.crt"), "key_file": a.file("plug.key")}, plugv1.StartVerdict_START_VERDICT_UNREACHABLE, ""},
		{"wrong authority", url, settings{"ca_file": stranger.file("ca.crt")}, plugv1.StartVerdict_START_VERDICT_UNREACHABLE, ""},
		{"another name", "mqtts://localhost:" + strconv.Itoa(port), full, plugv1.StartVerdict_START_VERDICT_UNREACHABLE, ""},
		{"no certificate of ours", url, settings{"ca_file": a.file("ca.crt")}, plugv1.StartVerdict_START_VERDICT_UNREACHABLE, ""},
		{"no TLS there", "mqtts://" + b.address(), full, plugv1.StartVerdict_START_VERDICT_UNREACHABLE, ""},
		{"no file", url, settings{"ca_file": a.file("none")}, plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, "/tls/ca_file"},
		{"no certificate in it", url, settings{"ca_file": a.file("ca.key")}, plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, "/tls/ca_file"},
		{"no key", url, settings{"certificate_file": a.file("plug.crt")}, plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, "/tls/key_file"},
		{"no certificate", url, settings{"key_file": a.file("plug.key")}, plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, "/tls/certificate_file"},
		{"another's key", url, settings{"certificate_file": a.file("plug.crt"), "key_file": a.file("broker.key")}, plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, "/tls/certificate_file"},
	} {
		f := launch(t).tryStart(t.TempDir(), at(c.url).with("tls", c.tls), "a").GetFailure()
		if f.GetVerdict() != c.verdict || f.GetField() != c.field || f.GetMessage() == "" {
			t.Errorf("%s: %v", c.name, f)
		}
	}
}
