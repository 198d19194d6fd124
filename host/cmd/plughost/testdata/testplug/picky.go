package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/plughost/plughost/sdk/go/plug"
)

// picky checks its config without starting; by its server it can be told to crash or
// to hang in that.
type picky struct{ both }

// ValidateConfig implements plug.ConfigValidator.
func (*picky) ValidateConfig(_ context.Context, configJSON string) error {
	var c config
	if err := plug.DecodeConfig(configJSON, &c); err != nil {
		return err
	}
	switch c.Server {
	case "crash":
		fmt.Fprintln(os.Stderr, "out of luck")
		os.Exit(3)
	case "hang":
		select {}
	}
	var errs []error
	if c.Port == 6697 && !c.TLS {
		errs = append(errs, plug.BadConfig("/port", errors.New("port 6697 is for TLS: set tls: true, or take another port")))
	}
	if c.Password != "" && c.Nick == "" {
		errs = append(errs, plug.BadConfig("/nick", errors.New("a password needs a nick")))
	}
	return errors.Join(errs...)
}
