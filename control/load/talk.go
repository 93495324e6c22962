package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/wire"
)

// introduceField is the number of NodeMessage.introduce. Most of what a crowd is sent are introductions; unless they
// are to be answered, they are counted without being decoded, to leave the processor to the server.
const introduceField = 3

// notNumbered stands in a Refused that does not answer a look-up.
const notNumbered = 0

// take hands on or counts what the node says.
func (one *client) take(ctx context.Context, data []byte) error {
	field, _, _ := protowire.ConsumeTag(data)
	if field == introduceField {
		one.crowd.counts.introductions.Add(1)
		if !one.crowd.signalling.Load() {
			return nil
		}
	}
	message := &wire.NodeMessage{}
	if err := proto.Unmarshal(data, message); err != nil {
		return err
	}
	switch body := message.Body.(type) {
	case *wire.NodeMessage_Found:
		one.answered(body.Found.Request, message)
	case *wire.NodeMessage_Refused:
		one.answered(body.Refused.Request, message)
	case *wire.NodeMessage_Introduce:
		return one.send(ctx, credentials(body.Introduce.Introduction))
	case *wire.NodeMessage_Signal:
		one.crowd.counts.signals.Add(1)
	}
	return nil
}

// credentials is a signal of the usual size.
func credentials(introduction []byte) *wire.ClientMessage {
	return &wire.ClientMessage{Body: &wire.ClientMessage_Signal{Signal: &wire.Signal{
		Introduction: introduction, Ufrag: "abcdefghijklmnop", Password: "abcdefghijklmnopabcdefghijklmnop",
		Candidates: []string{
			"1 1 udp 2130706431 192.168.1.10 40000 typ host",
			"2 1 udp 1694498815 203.0.113.7 40000 typ srflx raddr 0.0.0.0 rport 0",
		},
	}}}
}

// answered hands an answer to whoever waits for it. Nobody does for the refusal of a signal whose introduction had ended.
func (one *client) answered(request uint32, message *wire.NodeMessage) {
	if request != one.asked.Load() {
		return
	}
	select {
	case one.answers <- message:
	default:
	}
}

// ask sends the question of that number and waits for its answer.
func (one *client) ask(ctx context.Context, request uint32, question *wire.ClientMessage) (*wire.NodeMessage, error) {
	one.asked.Store(request)
	select {
	case <-one.answers: // to a question that was given up
	default:
	}
	if err := one.send(ctx, question); err != nil {
		return nil, err
	}
	patience := time.NewTimer(loginDeadline)
	defer patience.Stop()
	select {
	case answer := <-one.answers:
		return answer, nil
	case <-patience.C:
		return nil, fmt.Errorf("no answer within %s", loginDeadline)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// settle returns when the node has obeyed all that was sent before. Announcements are not answered, but a signal for
// an introduction that does not exist is refused.
func (one *client) settle(ctx context.Context) error {
	var nobody [16]byte
	rand.Read(nobody[:])
	answer, err := one.ask(ctx, notNumbered, credentials(nobody[:]))
	if err == nil && answer.GetRefused().GetCode() != "expired" {
		err = fmt.Errorf("unexpected answer: %v", answer)
	}
	return err
}

// lookup asks for peers. found is false if the session has asked too often.
func (one *client) lookup(ctx context.Context, want int) (found bool, err error) {
	if one.grant == nil {
		one.grant = one.sealedGrant()
	}
	one.number++
	answer, err := one.ask(ctx, one.number, &wire.ClientMessage{Body: &wire.ClientMessage_Lookup{Lookup: &wire.Lookup{
		Request: one.number, Content: one.wanted[:], Grant: one.grant, Want: uint32(want),
	}}})
	switch {
	case err != nil:
		return false, err
	case answer.GetFound() != nil:
		return true, nil
	case answer.GetRefused().GetCode() == "busy":
		return false, nil
	}
	return false, fmt.Errorf("the look-up was answered with %v", answer)
}

// sealedGrant is what the edge would give the device. It is sealed here because the edge, rightly, grants only so
// many a second to one address, and what is measured is the node.
func (one *client) sealedGrant() []byte {
	device, _ := protocol.KeyFrom(one.key.Public().(ed25519.PublicKey)) // its length is right
	from := time.Now().Truncate(time.Second)
	g := protocol.Grant{Content: one.wanted, Device: device, NotBefore: from, Expires: from.Add(protocol.MaxGrantLife)}
	rand.Read(g.ID[:])
	return g.Seal(one.crowd.grantKey)
}
