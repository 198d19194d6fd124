package api

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
)

// statePrefix stands before a state's name in the enum.
const statePrefix = "PLUG_STATE_"

func toProto(s host.Status) *hostv1.PlugStatus {
	return &hostv1.PlugStatus{
		Plug:      string(s.Plug),
		State:     hostv1.PlugState(hostv1.PlugState_value[statePrefix+strings.ToUpper(s.State)]),
		Reason:    strings.ToValidUTF8(s.Reason, "\uFFFD"),
		Since:     timestamp(s.Since),
		NextTry:   timestamp(s.NextTry),
		Restarts:  uint32(s.Restarts),
		Pid:       uint32(s.Pid),
		NetworkId: string(s.Network),
		Gaps:      gapsToProto(s.Gaps),
		Breaches:  uint32(s.Breaches),
	}
}

func gapsToProto(gaps []host.Gap) (all []*hostv1.Gap) {
	for _, g := range gaps {
		all = append(all, &hostv1.Gap{Source: string(g.Source), Since: timestamp(g.Since), Until: timestamp(g.Until),
			Reason: strings.ToValidUTF8(g.Reason, "\uFFFD"), Filled: uint32(g.Filled), Closed: g.Closed, Lack: strings.ToValidUTF8(g.Lack, "\uFFFD")})
	}
	return all
}

func gapsFromProto(gaps []*hostv1.Gap) (all []host.Gap) {
	for _, g := range gaps {
		all = append(all, host.Gap{Source: id.ChannelSource(g.Source), Since: asTime(g.Since), Until: asTime(g.Until),
			Reason: g.Reason, Filled: int(g.Filled), Closed: g.Closed, Lack: g.Lack})
	}
	return all
}

func fromProto(s *hostv1.PlugStatus) host.Status {
	return host.Status{
		Plug:     id.InstanceName(s.Plug),
		State:    strings.ToLower(strings.TrimPrefix(s.State.String(), statePrefix)),
		Reason:   s.Reason,
		Since:    asTime(s.Since),
		NextTry:  asTime(s.NextTry),
		Restarts: int(s.Restarts),
		Pid:      int(s.Pid),
		Network:  id.NetworkID(s.NetworkId),
		Gaps:     gapsFromProto(s.Gaps),
		Breaches: int(s.Breaches),
	}
}

func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func asTime(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// Brief gives a reason in one line, without the last words of a plug's process,
// which take many.
func Brief(reason string) string {
	reason, _, _ = strings.Cut(reason, "; its last lines on stderr:")
	return strings.Join(strings.Fields(reason), " ")
}
