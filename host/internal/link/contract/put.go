package contract

import (
	"errors"

	"google.golang.org/protobuf/proto"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// maxContinuationBytes is the limit of PutFailure.continuation.
const maxContinuationBytes = 4 << 10

// CheckPut checks what a plug answered to a Put, and gives what the host may
// believe of it; that may be another answer. channel is filled into receipts
// that name none; isMessage says whether a success needs a receipt.
//
// A plug that breaks the contract may have sent all the same, so the answer is
// then UNCERTAIN, unless it is a success that still has a valid receipt.
func CheckPut(resp *plugv1.PutResponse, channel string, isMessage bool, refuse Refuse) *plugv1.PutResponse {
	if err := atMost("its answer", proto.Size(resp), plugv1.MaxEventBytes); err != nil {
		refuse("answer of Put", err)
		return Failure(plugv1.Verdict_VERDICT_UNCERTAIN, broke(err))
	}
	var broken error
	var kept []*plugv1.Receipt
	for _, r := range resp.Receipts {
		if err := checkReceipt(r, channel, refuse); err != nil {
			refuse("receipt", err)
			broken = err
			if resp.Failure != nil {
				break // receipts of parts count by their place: keep the unbroken prefix
			}
			continue
		}
		kept = append(kept, r)
	}
	resp.Receipts = kept

	switch {
	case resp.Failure != nil:
		checkFailure(resp.Failure, refuse)
		if broken != nil {
			// A part was sent that the host can't name; nothing else is certain.
			resp.Failure.Verdict = plugv1.Verdict_VERDICT_UNCERTAIN
			resp.Failure.Message = CleanLine(broke(broken) + ": " + resp.Failure.Message)
		}
	case isMessage && len(kept) == 0:
		if broken == nil {
			broken = errors.New("there is no receipt")
			refuse("answer of Put", broken)
		}
		return Failure(plugv1.Verdict_VERDICT_UNCERTAIN,
			"the plug broke the contract: it reported success without the id of a message: "+broken.Error())
	}
	return resp
}

// Failure is the host's own answer to a Put, where the plug gave none that can
// be believed.
func Failure(v plugv1.Verdict, why string) *plugv1.PutResponse {
	return &plugv1.PutResponse{Failure: &plugv1.PutFailure{
		Verdict: v,
		Scope:   plugv1.FailureScope_FAILURE_SCOPE_CHANNEL,
		Message: CleanLine(why),
	}}
}

func broke(err error) string { return "the plug broke the contract: " + err.Error() }

func checkReceipt(r *plugv1.Receipt, channel string, refuse Refuse) error {
	err := first(
		RequiredID("the id of a receipt", r.Id),
		optionalID("the channel of a receipt", r.Channel),
		optionalID("the revision of a receipt", r.Revision),
		checkAliases(r.Aliases),
	)
	if err != nil {
		return err
	}
	if r.Channel == "" {
		r.Channel = channel
	}
	if !r.Time.IsValid() {
		r.Time = nil
	}
	r.Reference = reference(r.Reference, refuse)
	return nil
}

// checkFailure reads a failure by the contract's defaults.
func checkFailure(f *plugv1.PutFailure, refuse Refuse) {
	if _, known := plugv1.Verdict_name[int32(f.Verdict)]; !known || f.Verdict == plugv1.Verdict_VERDICT_UNSPECIFIED {
		f.Verdict = plugv1.Verdict_VERDICT_UNCERTAIN
	}
	if f.Scope != plugv1.FailureScope_FAILURE_SCOPE_PLUG {
		f.Scope = plugv1.FailureScope_FAILURE_SCOPE_CHANNEL
	}
	if !f.RetryAfter.IsValid() || f.RetryAfter.AsDuration() < 0 {
		f.RetryAfter = nil
	}
	f.Message = CleanLine(f.Message)
	if err := atMost("it", len(f.Continuation), maxContinuationBytes); err != nil {
		refuse("continuation", err)
		f.Continuation = nil
	}
}
