package link

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// fakeValidator serves ConfigValidator.
type fakeValidator struct {
	plugv1.UnimplementedConfigValidatorServer
	OnValidate func(context.Context, string) (*plugv1.ValidateConfigResponse, error)
}

func (f *fakeValidator) ValidateConfig(ctx context.Context, r *plugv1.ValidateConfigRequest) (*plugv1.ValidateConfigResponse, error) {
	return f.OnValidate(ctx, r.ConfigJson)
}

// What a plug finds wrong with a config is bounded, and safe for a terminal.
func TestValidateConfig(t *testing.T) {
	answer := &plugv1.ValidateConfigResponse{Problems: []*plugv1.ConfigProblem{{Field: "/a\nb", Message: "it is\x1b[31m wrong"}}}
	for range maxConfigProblems {
		answer.Problems = append(answer.Problems, &plugv1.ConfigProblem{})
	}
	var asked string
	l := connect(t, &fakePlug{checks: &fakeValidator{OnValidate: func(_ context.Context, config string) (*plugv1.ValidateConfigResponse, error) {
		asked = config
		return answer, nil
	}}})
	problems, err := l.ValidateConfig(t.Context(), `{"a": 1}`)
	if err != nil || asked != `{"a": 1}` || len(problems) != maxConfigProblems {
		t.Fatalf("asked about %s: %d problems, %v", asked, len(problems), err)
	}
	if p := problems[0]; strings.ContainsAny(p.Field+p.Message, "\n\x1b") || !strings.Contains(p.Message, "wrong") || problems[1].Message == "" {
		t.Errorf("problems %v", problems[:2])
	}
}

// I2: a plug that hangs in checking its config costs the deadline, no more; one that
// fails is told of.
func TestValidateConfigFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := connect(t, &fakePlug{checks: &fakeValidator{OnValidate: func(ctx context.Context, _ string) (*plugv1.ValidateConfigResponse, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}})
		began := time.Now()
		if _, err := l.ValidateConfig(t.Context(), "{}"); err == nil || !strings.Contains(err.Error(), "did not answer within 10s") || time.Since(began) != validateTimeout {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		l = connect(t, &fakePlug{checks: &fakeValidator{OnValidate: func(context.Context, string) (*plugv1.ValidateConfigResponse, error) {
			return nil, errors.New("no\nidea")
		}}})
		if _, err := l.ValidateConfig(t.Context(), "{}"); err == nil || !strings.HasPrefix(err.Error(), "plug irc1: check its config: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("a failure: %v", err)
		}
	})
}
