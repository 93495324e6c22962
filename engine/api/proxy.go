package api

import "net/url"

// proxyMask stands where the password of a proxy is not shown. It is what net/url writes.
const proxyMask = "xxxxx"

// Redacted returns the settings as they may be shown: the password of the proxy can be set, but not read back.
func (s Settings) Redacted() Settings {
	s.Proxy = RedactProxy(s.Proxy)
	return s
}

// RedactProxy hides the password in the URL of a proxy.
func RedactProxy(proxy string) string {
	u, err := url.Parse(proxy)
	if err != nil {
		return "" // it may hold a password, and cannot be in use
	}
	if _, has := u.User.Password(); !has {
		return proxy
	}
	return u.Redacted()
}

// UnmaskProxy puts the password of the proxy in force back into a URL that was shown without it and has come back. It
// does so only for the same user at the same server, and says whether that is so; otherwise the password would be told
// to whoever the new URL names.
func UnmaskProxy(proxy, inForce string) (unmasked string, ok bool) {
	u, err := url.Parse(proxy)
	if err != nil {
		return proxy, true // Check says what is wrong with it
	}
	if password, _ := u.User.Password(); password != proxyMask {
		return proxy, true
	}
	old, err := url.Parse(inForce)
	if err == nil {
		if _, has := old.User.Password(); !has {
			return proxy, true // nothing was masked: this is a real, if weak, password
		}
	}
	if err != nil || u.Scheme != old.Scheme || u.Host != old.Host || u.User.Username() != old.User.Username() {
		return "", false
	}
	u.User = old.User
	return u.String(), true
}
