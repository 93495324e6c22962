package surroundings

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

type win struct{}

func newSystem(string) system { return win{} }

func (win) close() {}

var (
	getSystemPowerStatus = windows.NewLazySystemDLL("kernel32.dll").NewProc("GetSystemPowerStatus")
	coCreateInstance     = windows.NewLazySystemDLL("ole32.dll").NewProc("CoCreateInstance")
)

// powerStatus is SYSTEM_POWER_STATUS.
type powerStatus struct {
	onLine  byte // 0: on battery, 1: mains, 255: not known
	flag    byte // 128: no battery
	percent byte // 255: not known
	_       byte
	_, _    uint32 // seconds left, and when full
}

func (win) power(context.Context) (onBattery bool, charge int, err error) {
	var s powerStatus
	if ok, _, err := getSystemPowerStatus.Call(uintptr(unsafe.Pointer(&s))); ok == 0 {
		return false, 0, fmt.Errorf("GetSystemPowerStatus: %w", err)
	}
	charge = 100
	if s.percent <= 100 {
		charge = int(s.percent)
	}
	return s.onLine == 0 && s.flag != 128, charge, nil
}

// Of the Network List Manager (netlistmgr.h).
var (
	networkListManager = windows.GUID{Data1: 0xdcb00c01, Data2: 0x570f, Data3: 0x4a9b, Data4: [8]byte{0x8d, 0x69, 0x19, 0x9f, 0xdb, 0xa5, 0x72, 0x3b}}
	networkCostManager = windows.GUID{Data1: 0xdcb00008, Data2: 0x570f, Data3: 0x4a9b, Data4: [8]byte{0x8d, 0x69, 0x19, 0x9f, 0xdb, 0xa5, 0x72, 0x3b}}
)

const (
	classAnyServer = 0x17 // CLSCTX_ALL
	// NLM_CONNECTION_COST: paid by volume, or beyond it, or abroad.
	costFixed, costVariable, costOver, costRoaming = 0x2, 0x4, 0x10000, 0x40000
)

// costManager is INetworkCostManager as COM lays it out.
type costManager struct {
	methods *struct {
		queryInterface, addRef, release, getCost uintptr
	}
}

// metered asks what the connection to the Internet costs. COM belongs to a thread, so the goroutine keeps its own.
func (win) metered(context.Context) (bool, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := windows.CoInitializeEx(0, windows.COINIT_MULTITHREADED); err != nil && err != syscall.Errno(windows.S_FALSE) {
		return false, fmt.Errorf("CoInitializeEx: %w", err)
	}
	defer windows.CoUninitialize()
	var m *costManager
	if hr, _, _ := coCreateInstance.Call(uintptr(unsafe.Pointer(&networkListManager)), 0, classAnyServer,
		uintptr(unsafe.Pointer(&networkCostManager)), uintptr(unsafe.Pointer(&m))); hr != 0 {
		return false, fmt.Errorf("network list manager: %w", syscall.Errno(hr))
	}
	defer syscall.SyscallN(m.methods.release, uintptr(unsafe.Pointer(m)))
	var cost uint32
	if hr, _, _ := syscall.SyscallN(m.methods.getCost, uintptr(unsafe.Pointer(m)), uintptr(unsafe.Pointer(&cost)), 0); hr != 0 {
		return false, fmt.Errorf("cost of the connection: %w", syscall.Errno(hr))
	}
	return cost&(costFixed|costVariable|costOver|costRoaming) != 0, nil
}

// Kinds of interfaces (IANA ifType) that VPNs use.
const (
	ifPPP     = 23
	ifVirtual = 53 // wintun: WireGuard, OpenVPN
	ifTunnel  = 131
)

func (win) vpn(context.Context) (bool, error) {
	i, err := outward()
	if i == nil {
		return false, err
	}
	row := windows.MibIfRow2{InterfaceIndex: uint32(i.Index)}
	if err := windows.GetIfEntry2Ex(windows.MibIfEntryNormal, &row); err != nil {
		return false, fmt.Errorf("look at the interface %s: %w", i.Name, err)
	}
	return row.Type == ifPPP || row.Type == ifVirtual || row.Type == ifTunnel, nil
}
