package plug

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	// defaultRetryAfter is the pause where a network limits the rate and names none.
	defaultRetryAfter = 5 * time.Second
	// maxRetryAfter bounds what a network may ask for by mistake.
	maxRetryAfter = 24 * time.Hour
)

// FromHTTP turns what http.Client.Do returned into a verdict, or into nil for a
// status of 2xx. It reads no body and closes none, and leaves the address out of the
// words, since many networks carry a token in it.
//
//   - no connection (DNS, dial, TLS): NotSent; any other error, time-outs and lost
//     connections included: Uncertain, for the request may have been read
//   - 429: RateLimited, after Retry-After (RFC 9110, section 10.2.3; fractions are
//     taken too), or 5 s where there is none
//   - 401: LoggedOut; 407, 408, 421, 425: NotSent; 501: Unsupported
//   - other 4xx, 307 and 308: Refused. That includes 404 and 410, which may mean the
//     channel as well as a message: where only a message can be meant, the caller
//     makes TargetGone of it
//   - other 5xx and 3xx: Uncertain, for a gateway answers so after it has passed the
//     request on
//
// It is exact only for a client that sends a request once: set CheckRedirect to
// return http.ErrUseLastResponse, and switch off every retry.
func FromHTTP(r *http.Response, err error) error {
	if err != nil {
		return fromTransport(err)
	}
	code := r.StatusCode
	words := fmt.Errorf("the server answered %d %s", code, http.StatusText(code))
	switch {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusTooManyRequests:
		return RateLimited(words, retryAfter(r.Header.Get("Retry-After")))
	case code == http.StatusUnauthorized:
		return LoggedOut(words)
	case code == http.StatusProxyAuthRequired, code == http.StatusRequestTimeout,
		code == http.StatusMisdirectedRequest, code == http.StatusTooEarly:
		return NotSent(words)
	case code == http.StatusNotImplemented:
		return Unsupported(words)
	case code >= 400 && code < 500, code == http.StatusTemporaryRedirect, code == http.StatusPermanentRedirect:
		return Refused(words)
	default:
		return Uncertain(words)
	}
}

// fromTransport judges an error without a response by whether a connection was made.
func fromTransport(err error) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err // the outer one's text holds the address
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect") {
		return NotSent(err)
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return NotSent(err)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return NotSent(err)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return NotSent(err)
	}
	return Uncertain(err)
}

// retryAfter reads a Retry-After header: seconds or a date.
func retryAfter(header string) time.Duration {
	wait := defaultRetryAfter
	if seconds, err := strconv.ParseFloat(header, 64); err == nil {
		wait = time.Duration(min(seconds, maxRetryAfter.Seconds()) * float64(time.Second))
	} else if at, err := http.ParseTime(header); err == nil {
		wait = time.Until(at)
	}
	if wait <= 0 {
		return defaultRetryAfter
	}
	return min(wait, maxRetryAfter)
}
