package plug

import (
	"context"
	"errors"

	hclog "github.com/hashicorp/go-hclog"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug/utility"
	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxCalls is how many calls of the optional services run at once.
const maxCalls = 64

// Register makes the services of one plug, the optional ones among them, and
// registers them on a gRPC server, without the process around it: for tests that
// serve a plug themselves. Plugs call Serve. Package utility has the optional
// services' interfaces.
func Register(g grpc.ServiceRegistrar, d Definition, log hclog.Logger) error {
	s, err := newServer(d, log)
	if err != nil {
		return err
	}
	s.register(g)
	return nil
}

func (s *server) register(g grpc.ServiceRegistrar) {
	plugv1.RegisterPlugServer(g, s)
	plugv1.RegisterNetworkStatusServer(g, &networkStatus{server: s})
	if v, ok := s.plug.(ConfigValidator); ok {
		plugv1.RegisterConfigValidatorServer(g, &configValidator{plug: v, log: s.log})
	}
	env := utility.Env{Call: s.callUtility}
	if setter, ok := s.plug.(ChannelSetter); ok {
		env.SetChannels = func(ctx context.Context, sources []string) ([]*plugv1.ChannelStatus, error) {
			return s.setChannels(ctx, setter, sources)
		}
	}
	utility.Register(g, s.plug, env)
}

// services gives the full names of the optional services that a Plug has. How the
// network is can always be said (Session.SetNetworkState).
func services(plug Plug) []string {
	names := []string{plugv1.NetworkStatus_ServiceDesc.ServiceName}
	if _, ok := plug.(ConfigValidator); ok {
		names = append(names, plugv1.ConfigValidator_ServiceDesc.ServiceName)
	}
	_, sets := plug.(ChannelSetter)
	return append(names, utility.Services(plug, sets)...)
}

// calls lets calls of the optional services in until the session stops, and then
// waits for them: the author's Stop comes after them all.
type calls struct{ room *semaphore.Weighted }

func newCalls() calls { return calls{semaphore.NewWeighted(maxCalls)} }

// end keeps new calls out, for good, and waits for those that run.
func (c calls) end(ctx context.Context) error { return c.room.Acquire(ctx, maxCalls) }

// callUtility runs one method of an optional service: between Start and Stop, with a
// context that ends with the session's Puts, and with its panics contained.
func (s *server) callUtility(ctx context.Context, method string, call func(context.Context) error) error {
	r := s.running()
	if r == nil || !r.up {
		return status.Error(codes.Unavailable, "the plug is not started")
	}
	if !r.calls.room.TryAcquire(1) {
		return status.Error(codes.Unavailable, "too many calls at once, or the plug is stopping")
	}
	defer r.calls.room.Release(1)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(r.puts, func() { cancel(ErrStopped) })()
	return statusOf(contain(s.log, method, func() error { return call(ctx) }))
}

func statusOf(err error) error {
	if err == errPanic {
		return status.Error(codes.Internal, "the plug panicked: its log has the stack")
	}
	return utility.Status(err)
}

// ConfigValidator is a Plug that finds mistakes in a config which its JSON Schema
// can't: two fields that do not go together, an address that can't be one.
type ConfigValidator interface {
	// ValidateConfig checks a config, without touching the network. It may be called at
	// any time, also before Start and while the plug runs with another config, with a
	// deadline of 10 s. What is wrong are BadConfig errors, several of them joined by
	// errors.Join; any other error is a mistake of the config as a whole. DecodeConfig
	// reads it.
	ValidateConfig(ctx context.Context, configJSON string) error
}

type configValidator struct {
	plugv1.UnimplementedConfigValidatorServer
	plug ConfigValidator
	log  hclog.Logger
}

func (v *configValidator) ValidateConfig(ctx context.Context, req *plugv1.ValidateConfigRequest) (*plugv1.ValidateConfigResponse, error) {
	err := contain(v.log, "ValidateConfig", func() error { return v.plug.ValidateConfig(ctx, req.GetConfigJson()) })
	if err == errPanic {
		return nil, statusOf(err)
	}
	return &plugv1.ValidateConfigResponse{Problems: problems(err)}, nil
}

// problems takes joined errors apart.
func problems(err error) []*plugv1.ConfigProblem {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var list []*plugv1.ConfigProblem
		for _, err := range joined.Unwrap() {
			list = append(list, problems(err)...)
		}
		return list
	}
	problem := &plugv1.ConfigProblem{Message: words(err)}
	if v, ok := errors.AsType[*verdictError](err); ok {
		problem.Field = v.field
	}
	return []*plugv1.ConfigProblem{problem}
}
