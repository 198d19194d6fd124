//go:build linux

package clock

import "golang.org/x/sys/unix"

const arch = unix.AUDIT_ARCH_X86_64

func stackPointer(r *unix.PtraceRegs) uint64 { return r.Rsp }
