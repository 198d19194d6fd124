package plugv1

// The handshake of go-plugin: what the host puts into a plug's environment, and
// what the plug's first line on stdout begins with. They keep a plug from being
// run by hand by mistake; they are no secret.
const (
	// HandshakeCookieKey is the environment variable that a plug looks for.
	HandshakeCookieKey = "PLUGHOST_PLUG"
	// HandshakeCookieValue is its value.
	HandshakeCookieValue = "b53c0b2c8f4d4d0a9a2f"
	// ProtocolVersion is the version of this package in go-plugin's handshake.
	ProtocolVersion = 1
	// PluginName is the name under which go-plugin dispenses the service.
	PluginName = "plug"
)

// Sizes that the contract allows, in bytes.
const (
	// MaxMessageBytes is the largest gRPC message, both ways.
	MaxMessageBytes = 16 << 20
	// MaxEventBytes is the largest event or action.
	MaxEventBytes = 256 << 10
	// MaxIDBytes is the longest source or id.
	MaxIDBytes = 512
	// MaxCursorBytes is the longest cursor.
	MaxCursorBytes = 4 << 10
	// MaxReferenceBytes is the longest reference.
	MaxReferenceBytes = 1 << 10
	// MaxBatchEvents is the most events of one answer of StreamMessages.
	MaxBatchEvents = 64
	// MaxBatchBytes is the size at which an answer of StreamMessages is full.
	MaxBatchBytes = 64 << 10
)

// BestEffort tells whether an event is of a kind that is never journaled and never
// sent again: typing and read markers.
func BestEffort(e *Event) bool { return e.GetTyping() != nil || e.GetReadMarker() != nil }
