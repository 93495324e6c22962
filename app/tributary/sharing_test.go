//go:build desktop && linux

package main_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/app/fleet"
	"github.com/tributary-dl/tributary/engine/api"
)

// Somebody switches sharing off in the window while another computer takes a file from this one: not one more byte of it
// leaves. It is the other computer that counts.
func TestSharingOffMeansOff(t *testing.T) {
	const size, edgeRate, otherRate = 80 << 20, 40 << 20, 2 << 20
	s := newStage(t, edgeRate)
	_, err := s.daemon.SetSettings(t.Context(), api.SettingsPatch{Sharing: new(api.SharingOn)})
	s.must(err)
	link := s.publish("shared.iso", size)
	_, err = s.daemon.Add(t.Context(), api.AddRequest{URL: link})
	s.must(err)
	s.until("this computer has the file", complete)

	other, err := s.programs.Daemon(fleet.ThisMachine{}, fleet.DaemonOptions{Data: filepath.Join(t.TempDir(), "o"), CA: s.control.CA(), Loopback: true})
	s.must(err)
	t.Cleanup(func() { _ = other.Stop() })
	_, err = other.SetSettings(t.Context(), api.SettingsPatch{Dir: new(t.TempDir()), DownloadLimit: new(int64(otherRate))})
	s.must(err)
	added, err := other.Add(t.Context(), api.AddRequest{URL: link})
	s.must(err)
	state := func() api.Download {
		t.Helper()
		d, err := other.Download(t.Context(), added.ID)
		s.must(err)
		return d.Download
	}
	s.eventually("the other computer takes it from this one", func() bool { return state().BytesFromPeers > 2<<20 })

	s.open("--alone")
	s.keys("ctrl+6") // the page about sharing
	s.shot("sharing-on")
	s.eventually("the switch is off", func() bool {
		s.keys("Tab", "Left", "Left") // the switch is the first that takes these keys
		now, err := s.daemon.Settings(t.Context())
		s.must(err)
		return now.Sharing == api.SharingOff
	})
	s.settle()
	s.shot("sharing-off")

	before := state()
	const watched = 8 * time.Second
	time.Sleep(watched) // what shall not happen cannot be waited for
	after := state()
	t.Logf("in %v the other computer has taken %d bytes from the edge, %d from this one", watched, after.BytesFromEdge-before.BytesFromEdge, after.BytesFromPeers-before.BytesFromPeers)
	if after.State != api.StateDownloading || after.VerifiedBytes <= before.VerifiedBytes {
		t.Errorf("the other computer's download went from %d to %d bytes and is %s; it was to go on from the edge", before.VerifiedBytes, after.VerifiedBytes, after.State)
	}
	if n := after.BytesFromPeers - before.BytesFromPeers; n != 0 {
		t.Errorf("%d bytes have left this computer although sharing is off", n)
	}
}
