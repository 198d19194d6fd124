package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/plughost/plughost/plugins/mqtt/internal/topic"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

// config is what an operator writes under "config:".
type config struct {
	Server        string                   `json:"server" jsonschema:"description=Address of the broker: mqtt://host:port or mqtts://host:port for TLS. Port 1883 or 8883 if left out.,minLength=1"`
	Username      string                   `json:"username,omitempty" jsonschema:"description=Name to log in with."`
	Password      string                   `json:"password,omitempty" jsonschema:"description=Password to log in with.,writeOnly=true"`
	ClientID      string                   `json:"client_id,omitempty" jsonschema:"description=Client id. If left out one is made once and kept. No two clients of a broker have the same."`
	TLS           *tlsConfig               `json:"tls,omitempty" jsonschema:"description=Certificates. Only with mqtts://."`
	SessionExpiry uint32                   `json:"session_expiry,omitempty" jsonschema:"description=How long the broker keeps what comes while the plug is away\\, in seconds. 4294967295: for ever.,minimum=60,maximum=4294967295,default=604800"`
	KeepAlive     uint16                   `json:"keepalive,omitempty" jsonschema:"description=A silent connection is probed after so many seconds; without an answer for as long again it counts as cut.,minimum=1,maximum=65535,default=30"`
	Channels      map[string]channelConfig `json:"channels,omitempty" jsonschema:"description=Settings of single channels by their topic. A channel without any has the defaults."`
}

type tlsConfig struct {
	CAFile          string `json:"ca_file,omitempty" jsonschema:"description=File with the certificates (PEM) that the broker's is checked against. The system's if left out."`
	CertificateFile string `json:"certificate_file,omitempty" jsonschema:"description=File with our own certificate (PEM)."`
	KeyFile         string `json:"key_file,omitempty" jsonschema:"description=File with the private key of our own certificate (PEM)."`
}

type channelConfig struct {
	Publish string `json:"publish,omitempty" jsonschema:"description=Topic to which messages are published. The one that is subscribed to if left out."`
	Format  string `json:"format,omitempty" jsonschema:"description=What a payload is: text\\, or a JSON object with a text in it (see README).,enum=text,enum=json,default=text"`
	Retain  bool   `json:"retain,omitempty" jsonschema:"description=Ask the broker to keep the last message published for those who subscribe later."`
	QoS     *byte  `json:"qos,omitempty" jsonschema:"description=1: at least once\\, in both directions. 0: at most once: messages can be lost.,enum=0,enum=1,default=1"`
}

func defaults() config { return config{SessionExpiry: 7 * 24 * 3600, KeepAlive: 30} }

// check finds what can't work whatever the broker says.
func (c *config) check() error {
	switch {
	case c.SessionExpiry == 0:
		return plug.BadConfig("/session_expiry", errors.New("without a session everything that comes while the plug is away would be lost"))
	case c.KeepAlive == 0:
		return plug.BadConfig("/keepalive", errors.New("without it a cut connection would not be noticed"))
	}
	for _, s := range []struct{ field, value string }{{"/username", c.Username}, {"/client_id", c.ClientID}} {
		if topic.Clean(s.value) != s.value {
			return plug.BadConfig(s.field, errors.New("it has control characters"))
		}
	}
	return nil
}

// endpoint is where to connect.
type endpoint struct {
	address string // host:port, the host in lower case
	tls     *tls.Config
}

// endpoint reads the server's address and the certificates. An error is a BadConfig.
func (c *config) endpoint() (endpoint, error) {
	u, err := url.Parse(c.Server)
	if err != nil {
		return endpoint{}, plug.BadConfig("/server", errors.New("this is no address: write mqtt://host:port or mqtts://host:port")) // err may hold a password
	}
	port, known := map[string]string{"mqtt": "1883", "mqtts": "8883"}[u.Scheme]
	switch {
	case !known || u.Hostname() == "":
		return endpoint{}, plug.BadConfig("/server", errors.New("write mqtt://host:port, or mqtts://host:port for TLS"))
	case u.User != nil:
		return endpoint{}, plug.BadConfig("/server", errors.New("user name and password have their own fields"))
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return endpoint{}, plug.BadConfig("/server", errors.New("nothing stands behind host and port"))
	}
	e := endpoint{address: strings.ToLower(net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port)))}
	if u.Scheme == "mqtt" {
		if c.TLS != nil {
			return endpoint{}, plug.BadConfig("/tls", errors.New("certificates need a server that is mqtts://"))
		}
		return e, nil
	}
	e.tls, err = c.TLS.load(u.Hostname())
	return e, err
}

// load reads the certificates; the broker's is always checked.
func (c *tlsConfig) load(host string) (*tls.Config, error) {
	t := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if c == nil {
		return t, nil
	}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, plug.BadConfig("/tls/ca_file", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, plug.BadConfig("/tls/ca_file", fmt.Errorf("%s holds no certificate (PEM)", c.CAFile))
		}
	}
	switch {
	case c.CertificateFile == "" && c.KeyFile == "":
		return t, nil
	case c.CertificateFile == "":
		return nil, plug.BadConfig("/tls/certificate_file", errors.New("a key needs its certificate"))
	case c.KeyFile == "":
		return nil, plug.BadConfig("/tls/key_file", errors.New("a certificate needs its key"))
	}
	own, err := tls.LoadX509KeyPair(c.CertificateFile, c.KeyFile)
	if err != nil {
		return nil, plug.BadConfig("/tls/certificate_file", err)
	}
	t.Certificates = []tls.Certificate{own}
	return t, nil
}

// channel is one channel in use.
type channel struct {
	source  string // the topic or filter that is subscribed to
	publish string // empty: read only
	json    bool
	retain  bool
	qos     byte
	status  *plugv1.ChannelStatus
}

// channels makes the channels in use, each with its state. A setting that can't work is a
// BadConfig; a source that can't is that channel's trouble alone.
func (c *config) channels(sources []string) ([]*channel, error) {
	for source, s := range c.Channels {
		field := "/channels/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(source)
		if s.Publish != "" {
			if err := topic.CheckName(s.Publish); err != nil {
				return nil, plug.BadConfig(field+"/publish", err)
			}
		}
		if s.Format != "" && s.Format != "text" && s.Format != "json" {
			return nil, plug.BadConfig(field+"/format", fmt.Errorf("%q is neither text nor json", s.Format))
		}
		if s.QoS != nil && *s.QoS > 1 {
			// Both ends would have to remember a message over our death, and to send it
			// again without asking: then nobody could say what has become of it.
			return nil, plug.BadConfig(field+"/qos", errors.New("0 and 1 can be had, 2 can't"))
		}
	}
	var all []*channel
	for _, source := range sources {
		s := c.Channels[source]
		ch := &channel{source: source, publish: s.Publish, json: s.Format == "json", retain: s.Retain, qos: 1,
			status: &plugv1.ChannelStatus{Requested: source, Source: source, State: plugv1.ChannelState_CHANNEL_STATE_JOINED}}
		if s.QoS != nil {
			ch.qos = *s.QoS
		}
		if ch.publish == "" && !topic.Wild(source) {
			ch.publish = source
		}
		all = append(all, ch)
	}
	judge(all)
	return all, nil
}

// judge finds the channels that can't be had as they are asked for.
func judge(all []*channel) {
	for _, c := range all {
		if err := topic.CheckFilter(c.source); err != nil {
			c.refuse(plugv1.ChannelState_CHANNEL_STATE_NOT_FOUND, err.Error())
		}
	}
	for i, c := range all {
		if c.refused() || !topic.Wild(c.source) {
			continue
		}
		// A message belongs to one channel. The broker may deliver one that two filters
		// match once or twice (MQTT 5.0, section 3.3.4): so no two may.
		for j, other := range all {
			if other == c || other.refused() || topic.Wild(other.source) && j > i || !topic.Overlap(c.source, other.source) {
				continue
			}
			c.refuse(plugv1.ChannelState_CHANNEL_STATE_DENIED, fmt.Sprintf("its messages would also be those of the channel %s: choose topics that don't overlap", other.source))
			break
		}
		if !c.refused() && c.publish == "" {
			c.status.State = plugv1.ChannelState_CHANNEL_STATE_READ_ONLY
			c.status.Reason = "messages can't be published to a topic with wildcards: set the channel's publish topic in the config to write there"
		}
	}
}

func (c *channel) refuse(state plugv1.ChannelState, reason string) {
	c.status.State, c.status.Reason = state, reason
}

// refused says whether the channel is not subscribed to.
func (c *channel) refused() bool {
	s := c.status.GetState()
	return s == plugv1.ChannelState_CHANNEL_STATE_NOT_FOUND || s == plugv1.ChannelState_CHANNEL_STATE_DENIED
}
