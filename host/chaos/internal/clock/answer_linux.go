//go:build linux && (amd64 || arm64)

package clock

import (
	"encoding/binary"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// listen gives this thread, and whatever it forks, a filter that has clock_gettime of
// CLOCK_REALTIME answered by who has the listener.
func listen() (listener int, err error) {
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		give  = unix.BPF_RET | unix.BPF_K
		// Where the kernel's seccomp_data has them.
		number, architecture, firstArgument = 0, 4, 16
	)
	filter := []unix.SockFilter{
		{Code: load, K: architecture},
		{Code: equal, K: arch, Jf: 5},
		{Code: load, K: number},
		{Code: equal, K: unix.SYS_CLOCK_GETTIME, Jf: 3},
		{Code: load, K: firstArgument}, // its lower half: a clock id is an int
		{Code: equal, K: unix.CLOCK_REALTIME, Jf: 1},
		{Code: give, K: unix.SECCOMP_RET_USER_NOTIF},
		{Code: give, K: unix.SECCOMP_RET_ALLOW},
	}
	// Who has no rights over others may filter only what can't get any.
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, fmt.Errorf("renounce new privileges: %w", err)
	}
	// Once it is heard, a call isn't interrupted but by the program's death: the runtime's
	// signals would have it repeated. So whoever is answered still waits, or is gone with
	// all its memory.
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags,
		uintptr(unsafe.Pointer(&unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})))
	if errno != 0 {
		return 0, fmt.Errorf("install a seccomp filter with a listener: %w", errno)
	}
	return int(fd), nil
}

// call is the kernel's struct seccomp_notif.
type call struct {
	id        uint64
	thread    uint32
	_         uint32
	number    int32
	_         uint32
	_         uint64
	arguments [6]uint64
}

// answer is the kernel's struct seccomp_notif_resp.
type answer struct {
	id    uint64
	value int64
	err   int32
	flags uint32
}

// answer answers the calls of a program and its children, until none of them is left.
func (c *Clock) answer(listener, pid int, memory *os.File) error {
	for {
		heard := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(heard, -1); err == unix.EINTR {
			continue
		} else if err != nil {
			return fmt.Errorf("wait for a call: %w", err)
		}
		if heard[0].Revents&unix.POLLIN == 0 {
			return nil // hung up
		}
		var asked call
		switch err := control(listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&asked)); err {
		case 0:
		case unix.EINTR, unix.ENOENT: // who asked has died
			continue
		default:
			return fmt.Errorf("hear a call: %w", err)
		}
		told := answer{id: asked.id}
		if unix.Tgkill(pid, int(asked.thread), 0) != nil || !c.tell(memory, int64(asked.arguments[1])) {
			told.flags = unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE // the kernel shall answer
		}
		if err := control(listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&told)); err != 0 && err != unix.ENOENT {
			return fmt.Errorf("answer a call: %w", err)
		}
	}
}

// tell writes the time to where the program wants it.
func (c *Clock) tell(memory *os.File, at int64) bool {
	now := time.Now().Add(c.Wrong())
	b := binary.NativeEndian.AppendUint64(nil, uint64(now.Unix()))
	b = binary.NativeEndian.AppendUint64(b, uint64(now.Nanosecond()))
	_, err := memory.WriteAt(b, at)
	return err == nil
}

func control(listener int, request uintptr, argument unsafe.Pointer) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), request, uintptr(argument))
	return errno
}
