package daemon

// onHangup does nothing: Windows has no such signal, and "tributaryctl policy reload" works everywhere.
func onHangup(func()) (stop func()) { return func() {} }
