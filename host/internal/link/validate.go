package link

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/plughost/plughost/host/internal/link/contract"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

const (
	// validateTimeout is the contract's deadline.
	validateTimeout = 10 * time.Second
	// maxConfigProblems is how many mistakes of one config are told.
	maxConfigProblems = 50
)

// ValidateConfig asks a plug that serves ConfigValidator what is wrong with a config,
// within 10 s. It is called at any time, also without Start. What comes is made safe
// for a person. An error says why the plug could not be asked.
func (l *Link) ValidateConfig(ctx context.Context, configJSON string) ([]*plugv1.ConfigProblem, error) {
	ctx, cancel := context.WithTimeout(ctx, validateTimeout)
	defer cancel()
	resp, err := plugv1.NewConfigValidatorClient(l.conn).ValidateConfig(ctx, &plugv1.ValidateConfigRequest{ConfigJson: configJSON}, sizes()...)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded) || status.Code(err) == codes.DeadlineExceeded:
		return nil, &callError{text: fmt.Sprintf("plug %s: it did not answer within %v", l.name, validateTimeout), err: err}
	case err != nil:
		return nil, l.callError("check its config", err)
	}
	problems := resp.Problems[:min(len(resp.Problems), maxConfigProblems)]
	for _, p := range problems {
		p.Field, p.Message = contract.CleanLine(p.Field), contract.CleanLine(p.Message)
		if p.Message == "" {
			p.Message = "the plug does not say what is wrong"
		}
	}
	return problems, nil
}
