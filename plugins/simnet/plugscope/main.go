package main

import (
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"

	"github.com/plughost/plughost/plugins/simnet/internal/simplug"
	"github.com/plughost/plughost/sdk/go/plug"
)

func main() {
	plug.Serve(simplug.Definition("simnet-plugscope", plugv1.PutScope_PUT_SCOPE_PLUG, simplug.Options{}))
}
