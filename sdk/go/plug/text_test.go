package plug

import (
	"testing"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/protobuf/proto"
)

func TestPartsHaveTheirFormatting(t *testing.T) {
	r := &run{abilities: &plugv1.Abilities{Limits: &plugv1.Limits{TextLength: 10}}}
	req := &plugv1.PutRequest{OperationId: "op", Action: &plugv1.Action{
		Author: &plugv1.Author{FormattedName: "ann: "},
		Kind: &plugv1.Action_Message{Message: &plugv1.Message{Text: &plugv1.Text{Segments: []*plugv1.Segment{
			{Text: "one "}, {Text: "two three", Bold: true},
		}}}},
	}}
	parts := newParts(r, req, time.Time{})
	for i, want := range []*plugv1.Text{
		{Segments: []*plugv1.Segment{{Text: "ann: "}, {Text: "one"}}},
		{Segments: []*plugv1.Segment{{Text: "ann: "}, {Text: "two", Bold: true}}},
		{Segments: []*plugv1.Segment{{Text: "ann: "}, {Text: "three", Bold: true}}},
	} {
		if i >= len(parts) || !proto.Equal(parts[i].Content, want) || parts[i].Text != PlainText(want) {
			t.Fatalf("part %d of %v, want %v", i+1, parts, want)
		}
	}
}
