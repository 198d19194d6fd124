//go:build linux && (amd64 || arm64)

package clock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Start starts a command with this clock. wait returns when it has ended, with what
// exec.Cmd.Wait gives, and is called once. Cancel and the like of the command work as
// ever; its SysProcAttr is changed.
func (c *Clock) Start(cmd *exec.Cmd) (wait func() error, err error) {
	started, ended := make(chan error, 1), make(chan error, 1)
	go onItsThread(func() {
		listener, err := listen()
		if err != nil {
			started <- fmt.Errorf("no clock of its own is possible here: %w", err)
			return
		}
		if err := c.start(cmd, listener); err != nil {
			_ = unix.Close(listener)
			started <- err
			return
		}
		started <- nil
		ended <- cmd.Wait()
	})
	if err := <-started; err != nil {
		return nil, err
	}
	return func() error { return <-ended }, nil
}

// Possible tells why this process can give no program a clock, nil if it can.
func Possible() error {
	wait, err := new(Clock).Start(exec.Command("true"))
	if err != nil {
		return err
	}
	return wait()
}

// onItsThread does something on a thread that nothing else ever runs on, and that ends
// with it: the thread gets the filter, for its child to inherit; the child is traced by
// it, and dies with it. (The runtime makes no thread out of a locked one.)
func onItsThread(do func()) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		do()
		return
	}
	// The first thread ends with the process only. While it is taken, there is another.
	defer runtime.UnlockOSThread()
	taken := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		close(taken)
		do()
	}()
	<-taken
}

// start starts the command, stops it at its first instruction and lets it go without a
// vDSO.
func (c *Clock) start(cmd *exec.Cmd, listener int) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Ptrace, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	if err := cmd.Start(); err != nil {
		return err
	}
	pid := cmd.Process.Pid
	memory, err := withoutVDSO(pid)
	if err != nil {
		return errors.Join(fmt.Errorf("take the vDSO from %s: %w", cmd.Path, err), cmd.Process.Kill(), cmd.Wait())
	}
	go func() {
		defer memory.Close()
		defer unix.Close(listener)
		if err := c.answer(listener, pid, memory); err != nil {
			// It would read a clock that stands anywhere.
			fmt.Fprintln(os.Stderr, "clock:", err)
			_ = cmd.Process.Kill()
		}
	}()
	if err := unix.PtraceDetach(pid); err != nil {
		return errors.Join(fmt.Errorf("let %s go: %w", cmd.Path, err), cmd.Process.Kill(), cmd.Wait())
	}
	return nil
}

// withoutVDSO waits for the child's exec and has its auxiliary vector name no vDSO. It
// gives the child's memory: of this program only, whatever becomes of its id.
func withoutVDSO(pid int) (memory *os.File, err error) {
	var status unix.WaitStatus
	for err = unix.EINTR; err == unix.EINTR; {
		_, err = unix.Wait4(pid, &status, 0, nil)
	}
	if err != nil {
		return nil, err
	}
	if !status.Stopped() {
		return nil, fmt.Errorf("it is not there: wait status %#x", status)
	}
	var r unix.PtraceRegs
	if err := unix.PtraceGetRegs(pid, &r); err != nil {
		return nil, err
	}
	memory, err = os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	if err := dropVDSO(memory, int64(stackPointer(&r))); err != nil {
		return nil, errors.Join(err, memory.Close())
	}
	return memory, nil
}

// The vector's entries are pairs of words, a type and a value.
const (
	atNull        = 0
	atIgnore      = 1
	atSysinfoEhdr = 33
)

// dropVDSO walks up the stack of a new program: the count of its arguments, they, a zero,
// its environment, a zero, the auxiliary vector.
func dropVDSO(memory *os.File, at int64) error {
	word := func() (n uint64, err error) {
		var b [8]byte
		_, err = memory.ReadAt(b[:], at)
		at += int64(len(b))
		return binary.NativeEndian.Uint64(b[:]), err
	}
	arguments, err := word()
	at += int64(arguments+1) * 8
	for variable := uint64(1); variable != 0 && err == nil; {
		variable, err = word()
	}
	for err == nil {
		entry := at
		kind, errKind := word()
		_, errValue := word()
		switch err = errors.Join(errKind, errValue); {
		case err != nil:
		case kind == atNull:
			return nil // the kernel was started without one
		case kind == atSysinfoEhdr:
			_, err := memory.WriteAt(binary.NativeEndian.AppendUint64(nil, atIgnore), entry)
			return err
		}
	}
	return fmt.Errorf("read the stack: %w", err)
}
