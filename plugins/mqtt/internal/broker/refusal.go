package broker

import (
	"errors"
	"fmt"
	"strings"

	"github.com/eclipse/paho.golang/packets"
)

// Reason codes (MQTT 5.0, section 2.4) that decide something.
const (
	Unwilling         = packets.ConnackImplementationSpecificError // 0x83
	BadVersion        = packets.ConnackUnsupportedProtocolVersion  // 0x84
	BadClientID       = packets.ConnackInvalidClientID             // 0x85
	BadCredentials    = packets.ConnackBadUsernameOrPassword       // 0x86
	NotAuthorized     = packets.ConnackNotAuthorized               // 0x87
	Banned            = packets.ConnackBanned                      // 0x8A
	BadAuthentication = packets.ConnackBadAuthenticationMethod     // 0x8C
	PacketIDInUse     = packets.PubackPacketIdentifierInUse        // 0x91
	PacketTooLarge    = packets.DisconnectPacketTooLarge           // 0x95
	QuotaExceeded     = packets.PubackQuotaExceeded                // 0x97
	ConnectionRate    = packets.ConnackConnectionRateExceeded      // 0x9F
	NoWildcards       = packets.DisconnectWildcardSubscriptionsNotSupported
)

// Refusal is a broker's no, with its reason code. Ours are made with the code that a
// broker would have given.
type Refusal struct {
	Code   byte
	Reason string // the broker's words, if it had any
}

func (r *Refusal) Error() string {
	words := map[byte]string{
		BadVersion: "the broker does not speak MQTT 5", BadClientID: "client id not valid", BadCredentials: "bad user name or password",
		Banned: "banned", BadAuthentication: "bad authentication method", PacketIDInUse: "packet id in use", 0x88: "server unavailable",
	}[r.Code]
	if words == "" {
		words, _, _ = strings.Cut((&packets.Disconnect{ReasonCode: r.Code}).Reason(), " - ")
	}
	for _, more := range []string{r.Reason, fmt.Sprintf("reason code 0x%02X", r.Code)} {
		if words != "" && more != "" {
			words += ": "
		}
		words += more
	}
	return words
}

// ErrNotSent is what Publish answers when certainly nothing was written.
var ErrNotSent = errors.New("not connected to the broker")

// errSilent is the reason of an end that has no other.
var errSilent = errors.New("it does not answer")

// errClosed is the reason of an end by Close.
var errClosed = errors.New("closed")
