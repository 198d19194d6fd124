// Package e2e drives the whole of plughost as a person does: a real browser on
// two webchats, bridged by a real host, with plugs and host killed in between.
// Its tests need Chromium and Node (make deps) and the binaries (make build); they
// run with -tags e2e, as make e2e does.
package e2e
