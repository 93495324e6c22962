package node

import (
	"testing"
	"time"

	"github.com/tributary-dl/tributary/control/internal/selection"
	"github.com/tributary-dl/tributary/control/protocol"
)

var noon = time.Unix(1_800_000_000, 0)

func ends() (anna, bert, eve *session) {
	return &session{peer: selection.PeerID{1}}, &session{peer: selection.PeerID{2}}, &session{peer: selection.PeerID{3}}
}

func TestIntroductionsLiveAMinute(t *testing.T) {
	anna, bert, eve := ends()
	table := newIntroductions()
	id, ok := table.add(anna, bert, film, noon)
	if !ok {
		t.Fatal("no introduction")
	}
	almost, over := noon.Add(introductionLife-1), noon.Add(introductionLife)
	if table.relay(id, anna, false, almost) != bert || table.relay(id, bert, false, almost) != anna {
		t.Error("a signal did not go to the other end")
	}
	if table.relay(id, eve, false, noon) != nil || table.relay(introductionID{}, anna, false, noon) != nil {
		t.Error("a signal of a stranger, or of no introduction, was relayed")
	}
	if table.relay(id, anna, false, over) != nil {
		t.Error("a signal was relayed after the end")
	}
	if len(table.live)+len(table.pairs)+len(table.queue)+len(table.count) != 0 {
		t.Errorf("something is left: %+v", table)
	}
}

func TestSignalsOfAnIntroductionAreCounted(t *testing.T) {
	anna, bert, _ := ends()
	table := newIntroductions()
	id, _ := table.add(anna, bert, film, noon)
	for range maxSignals {
		if table.relay(id, anna, false, noon) != bert {
			t.Fatal("a signal was refused too early")
		}
	}
	if table.relay(id, anna, false, noon) != nil {
		t.Error("one signal too many was relayed")
	}
	if table.relay(id, bert, true, noon) != anna {
		t.Error("the other end has signals of its own")
	}
	if table.relay(id, bert, false, noon) != nil {
		t.Error("after one end gave up, the introduction must be over")
	}
}

func TestPairsThatAskForEachOtherMeetOnce(t *testing.T) {
	anna, bert, _ := ends()
	table := newIntroductions()
	first, _ := table.add(anna, bert, film, noon)
	if _, ok := table.add(bert, anna, film, noon.Add(time.Second)); ok {
		t.Error("the other end got a second introduction while they connect")
	}
	if _, ok := table.add(bert, anna, protocol.ContentID{9}, noon); !ok {
		t.Error("another object needs an introduction of its own")
	}
	second, ok := table.add(anna, bert, film, noon.Add(2*time.Second))
	if !ok || second == first {
		t.Error("who asks again must get a new introduction")
	}
	if table.relay(first, anna, false, noon.Add(2*time.Second)) != nil {
		t.Error("the new introduction must end the old one")
	}
	if _, ok := table.add(bert, anna, film, noon.Add(2*time.Second+glare)); !ok {
		t.Error("the other end may ask once they should have connected")
	}
}

func TestIntroductionsOfOneSessionAreBounded(t *testing.T) {
	anna, _, _ := ends()
	table := newIntroductions()
	made := 0
	for i := range 3 * maxLive {
		if _, ok := table.add(anna, &session{peer: selection.PeerID{9, byte(i), byte(i >> 8)}}, film, noon); ok {
			made++
		}
	}
	if made != maxLive {
		t.Errorf("%d introductions are live; want %d", made, maxLive)
	}
	if _, ok := table.add(anna, &session{peer: selection.PeerID{8}}, film, noon.Add(introductionLife)); !ok {
		t.Error("none was made after the old ones had expired")
	}
}
