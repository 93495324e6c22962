package storage

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// A line can be faster than the disk behind it. Without a limit the system's memory takes the difference, each flush
// has more to write than the one before, and in the end a disk that works takes as long as one that hangs. So a
// volume has room for as many verified bytes that are not flushed as it lately flushed in about flushGoal, and who
// brings more waits.
const (
	// flushGoal is what the flush of a round shall take: the room grows while it takes less, and shrinks to what the volume
	// does in this time when it takes twice as long.
	flushGoal = time.Second
	mostRoom  = 2 * commitBytes // bytes: one half is flushed while the other fills up
	leastRoom = 4 << 20         // bytes: of less, each flush would cost more than its bytes
	firstRoom = 16 << 20        // bytes, before anything is known of the volume
	// hungAfter is when a disk that does not answer counts as gone, though it had next to nothing to write.
	hungAfter = 10 * time.Second
	// roomPatience is how much longer it may take for each room of bytes that are not flushed: a disk can all at once be
	// far slower than it was, as a memory stick is when its fast part is used up.
	roomPatience = time.Minute
)

// backlog counts the bytes that were written to the files of a volume and not flushed, verified or not.
type backlog struct {
	unflushed atomic.Int64
	flushed   atomic.Int64 // in all
}

// patience is how long a volume may leave a call unanswered before it counts as gone.
func (l *lane) patience() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	rooms := float64(l.unflushed.Load()) / float64(l.room)
	return hungAfter + time.Duration(rooms*float64(roomPatience))
}

// noAnswer is what is wrong with a volume when patience is over.
func noAnswer(patience time.Duration) error {
	return fmt.Errorf("%w: no answer for %v", ErrVolumeLost, patience.Round(time.Second))
}

// measure sets the room by how many bytes a round has flushed, and how long that took.
func (l *lane) measure(bytes int64, took time.Duration) {
	if bytes == 0 {
		return
	}
	goal := int64(mostRoom)
	if took > 0 {
		goal = int64(min(float64(bytes)*flushGoal.Seconds()/took.Seconds(), mostRoom))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case goal > l.room:
		l.room = min(goal, 2*l.room)
	case took > 2*flushGoal:
		l.room = max(goal, leastRoom)
	case took < flushGoal && bytes >= l.room/2: // a part of the time may be the same for any number of bytes
		l.room = min(l.room*5/4, mostRoom)
	}
}

// AwaitRoom waits while the volume has as much to flush as it can in a short time. It does not wait for longer than ctx,
// nor when the object has failed or StopWaiting was called. Hold no lock that anybody needs who writes, verifies or
// closes. WritePiece and Recheck wait by themselves; who writes blocks calls this before.
func (o *Object) AwaitRoom(ctx context.Context) { o.awaitRoom(ctx, 0) }

// awaitRoom takes so many bytes of the room as soon as there is any, or waiting has ended. The caller gives them back by
// lane.wrote.
func (o *Object) awaitRoom(ctx context.Context, bytes int64) {
	l := o.lane
	for hurry := false; ; {
		freed, flushes := l.take(bytes, hurry)
		if freed == nil {
			return
		}
		l.wake()
		patience := l.patience()
		timer := time.NewTimer(patience)
		select {
		case <-freed:
		case <-ctx.Done():
			hurry = true
		case <-o.hurry:
			hurry = true
		case <-timer.C:
			if l.stuck(flushes) {
				o.fail(noAnswer(patience))
			}
		}
		timer.Stop()
	}
}

// StopWaiting ends all waiting for room, for good: what comes now is the last before Close.
func (o *Object) StopWaiting() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stopWaitingLocked()
}

func (o *Object) stopWaitingLocked() {
	if !o.hurried {
		o.hurried = true
		close(o.hurry)
	}
}

// take takes bytes of the room if there is any, or in any case. If not, it returns what is closed when there may be some,
// and how many flushes there have been.
func (l *lane) take(bytes int64, anyway bool) (freed <-chan struct{}, flushes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if anyway || l.bytes+l.flushing+l.writing < l.room {
		l.writing += bytes
		return nil, 0
	}
	if l.freed == nil {
		l.freed = make(chan struct{})
	}
	return l.freed, l.flushes
}

// wrote gives back what awaitRoom took: the bytes are written, and count as waiting for the flush, or will not be.
func (l *lane) wrote(bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writing -= bytes
	l.freeLocked()
}

// freeLocked lets all who wait for room look again.
func (l *lane) freeLocked() {
	if l.freed != nil {
		close(l.freed)
		l.freed = nil
	}
}

// answered notes that a flush has come back.
func (l *lane) answered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flushes++
}

// stuck reports whether no flush has come back since there were so many, and it is not the state database that
// keeps the round.
func (l *lane) stuck(flushes int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flushes == flushes && !l.marking
}
