package api_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
)

// curlBot is a whole bot, in a shell with curl: it answers "!ping" once each, in order,
// and dies after each answer, before it has acknowledged it.
const curlBot = `
call() { curl -sS --fail-with-body --max-time 60 --unix-socket data/api/plughost.sock -H 'Content-Type: application/json' -d "$2" "http://plughost/plughost.host.v1.$1"; }
got=$(call EventService/FetchEvents '{"name": "pinger", "wait": "20s", "limit": 1, "channels": ["bot/bot-a"]}') || exit
event=$(grep -o '"eventId":"[^"]*"' <<< "$got" | cut -d'"' -f4)
if [[ $got == *'"text":"!ping"'* && $got != *'"ours":true'* ]]; then
	call MessageService/Send '{"channel": "bot/bot-a", "text": "pong", "client": "pinger", "requestId": "'"$event"'", "wait": true}' > /dev/null || exit
	[[ -n $DIE ]] && exit 7
fi
ack=$(grep -o '"ack":"[^"]*"}$' <<< "$got" | cut -d'"' -f4)
call EventService/Acknowledge '{"name": "pinger", "ack": "'"$ack"'"}'
`

// A bot in any language is a client of the API: with FetchEvents, Send and a request
// id it answers each question once, whatever dies.
func TestCurlBot(t *testing.T) {
	t.Parallel()
	l := newLive(t, simnettest.Account{}, host.Options{}, "a")
	run := func(die string) (string, error) {
		cmd := exec.Command("bash", "-c", curlBot)
		cmd.Dir, cmd.Env = strings.TrimSuffix(l.dir, "data"), append(cmd.Environ(), "DIE="+die)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	// Its name is known from its first call on.
	first := make(chan error, 1)
	go func() {
		_, err := run("")
		first <- err
	}()
	l.until("the bot asks", func() bool {
		list, err := l.client.events.ListSubscriptions(l.ctx(), &hostv1.ListSubscriptionsRequest{})
		return err == nil && len(list.Subscriptions) == 1
	})
	l.say("bot-a", "!ping")
	if err := <-first; err != nil {
		t.Fatalf("curl: %v", err)
	}
	l.say("bot-a", "hello")
	l.say("bot-a", "!ping")
	l.stop()
	l.start()
	for deadline := time.Now().Add(patience); len(l.accepted("bot-a")) < 2 && time.Now().Before(deadline); {
		_, _ = run("yes") // over its own echo and the hello, and dead with the answer
	}
	for range 2 { // it comes again, since nothing acknowledged it
		if out, err := run("yes"); err == nil || !strings.Contains(err.Error(), "exit status 7") {
			t.Errorf("a bot that died finds its question again: %v\n%s", err, out)
		}
	}
	if out, err := run(""); err != nil {
		t.Errorf("curl: %v\n%s", err, out)
	}
	if got := strings.Join(l.accepted("bot-a"), ", "); got != "pong, pong" {
		t.Errorf("the bot said %s", got)
	}
	wrong := exec.Command("curl", "-sS", "--unix-socket", l.dir+"/api/plughost.sock", "-H", "Content-Type: application/json",
		"-d", `{"channel": "nowhere"}`, "http://plughost/plughost.host.v1.MessageService/Send")
	if out, err := wrong.CombinedOutput(); err != nil || !strings.Contains(string(out), `"code":"invalid_argument","message":"\"nowhere\" is no channel; write it as plug/source`) {
		t.Errorf("a wrong request: %v\n%s", err, out)
	}
}
