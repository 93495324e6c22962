# What one types to build, try and test Tributary. Each target installs what it needs with apt where it may,
# and says what is missing where it may not. Needed beforehand: Go, git, make.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
export GOTOOLCHAIN := local
.DEFAULT_GOAL := build
# A plain Go installation is not always on the path of make.
export PATH := $(PATH):/usr/local/go/bin:/usr/sbin:/sbin

# Packages of Debian, as COMMAND:PACKAGE.
COMPILER := gcc:gcc /usr/include/stdlib.h:libc6-dev
NETLAB   := ip:iproute2 tc:iproute2 nft:nftables
DISKLAB  := mkfs.ext4:e2fsprogs losetup:mount setpriv:util-linux
BESIDE   := curl:curl aria2c:aria2
TORRENTS := wget2:wget2 /usr/share/doc/python3-libtorrent:python3-libtorrent
WINDOW   := clang:clang pkg-config:pkg-config /usr/include/GL/gl.h:libgl-dev /usr/include/EGL/egl.h:libegl-dev /usr/include/X11/Xlib.h:libx11-dev \
            /usr/include/X11/Xcursor/Xcursor.h:libxcursor-dev /usr/include/X11/extensions/Xrandr.h:libxrandr-dev \
            /usr/include/X11/extensions/Xinerama.h:libxinerama-dev /usr/include/X11/extensions/XInput2.h:libxi-dev \
            /usr/include/X11/extensions/xf86vmode.h:libxxf86vm-dev /usr/include/wayland-client.h:libwayland-dev \
            /usr/include/xkbcommon/xkbcommon.h:libxkbcommon-dev
# installer/*/build install what is particular to one system themselves.
PACKAGES := dpkg-deb:dpkg gzip:gzip
MACHINES := mmdebstrap:mmdebstrap unshare:util-linux nsenter:util-linux
WINE     := wine:wine x86_64-w64-mingw32-gcc:gcc-mingw-w64-x86-64
SCREEN   := Xvfb:xvfb xdotool:xdotool xclip:xclip openbox:openbox import:imagemagick dbus-run-session:dbus

# Without cgo, for every system. Window and tray are built apart: they need a display's libraries.
SERVICE := ./app/tributaryd ./app/tributaryctl

# The programs are built without cgo. The race detector needs it, and would drag in a database in C that the piece
# engine has a use for and we have not.
CGO_TAGS := -tags nosqlite

.PHONY: help build build-window build-tray test-window screenshots packages test-install test test-needs vet lint demo bench \
        bench-ui lab fuzz-smoke clean

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1:\2/p' $(MAKEFILE_LIST) | while IFS=: read -r name what; do printf '%-12s %s\n' "$$name" "$$what"; done

build: ## the programs, into bin/
	CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o bin/ $(SERVICE)
	CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o bin/tributary-control ./control

build-window: ## the window, into bin/ (clang: gcc takes ten times as long for one package)
	.ci/needs $(WINDOW)
	CC=clang go build -trimpath -ldflags="-s -w" -tags desktop,migrated_fynedo -o bin/ ./app/tributary

build-tray: ## the tray program, into bin/
	CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o bin/ ./app/tributary-tray

test-window: build build-tray ## a real window on a screen that nobody sees, driven with mouse and keys
	.ci/needs $(WINDOW) $(SCREEN)
	mkdir -p build/window-test
	CC=clang go test -tags desktop,migrated_fynedo -count=1 -artifacts -outputdir "$(CURDIR)/build/window-test" ./app/tributary

screenshots: build build-window build-tray ## pictures of the running program, into build/screenshots
	.ci/needs $(SCREEN)
	go run ./app/desktop/screenshots --bin bin --out build/screenshots

packages: ## the packages of every system, into build/packages
	.ci/needs $(COMPILER) $(PACKAGES) $(WINDOW) dpkg-shlibdeps:dpkg-dev
	for build in installer/*/build; do "$$build"; done

test-install: build ## packages installed, upgraded and removed for real, on every system that can be had here
	.ci/needs $(COMPILER) $(PACKAGES) $(WINDOW) dpkg-shlibdeps:dpkg-dev objdump:binutils $(MACHINES) $(WINE) openssl:openssl ip:iproute2 \
		lintian:lintian appstreamcli:appstream desktop-file-validate:desktop-file-utils rpm:rpm
	FULL=1 go test $(CGO_TAGS) -count=1 -timeout 60m -v ./installer/...

# The race detector needs a C compiler; the network and power-cut tests need root, and say so without it.
test: test-needs build vet ## everything that must pass before a change lands
	.ci/go-test -race $(CGO_TAGS) -shuffle=on -timeout 14m

test-needs: ## the tools that tests start
	.ci/needs $(COMPILER) $(NETLAB) $(DISKLAB) $(PACKAGES) $(MACHINES) dbus-daemon:dbus

vet: ## go vet for every system we build for
	go vet $(CGO_TAGS) ./...
	for os in windows darwin; do echo "go vet for $$os"; CGO_ENABLED=0 GOOS=$$os go vet ./app/... ./engine/... ./control/...; done

# What only the window calls would count as unreachable, because the window needs a tag and a display's headers.
WITHOUT_WINDOW := tributary/(engine|control|app/(lab|fleet|e2e|demo|bench|scenario|arena|trial|config|daemon|service|tributaryctl|tributaryd)(/|$$))

lint: ## golangci-lint and deadcode, built once from .lint/go.mod
	go -C .lint build -o ../build/ github.com/golangci/golangci-lint/v2/cmd/golangci-lint golang.org/x/tools/cmd/deadcode
	build/golangci-lint run --config .lint/golangci.yml ./...
	unreachable=$$(build/deadcode -test -filter '$(WITHOUT_WINDOW)' ./...); echo -n "$$unreachable"; test -z "$$unreachable"

demo: build ## one download from an edge and peers, live: make demo [FILE=path]
	if [ "$$(id -u)" = 0 ]; then .ci/needs $(NETLAB); fi
	go build -o build/ ./app/demo
	if [ -n "$${DISPLAY:-}$${WAYLAND_DISPLAY:-}" ] || .ci/needs $(WINDOW) $(SCREEN); \
	then $(MAKE) build-window; set -- -window bin/tributary; else echo "The demo goes on without the window."; set --; fi; \
	build/demo $(if $(FILE),-file "$(FILE)") "$$@"

bench: build ## the figures we promise, as a table and JSON
	.ci/needs $(NETLAB) $(BESIDE)
	go build -o build/ ./app/bench ./control/load
	build/bench $(ARGS)

lab: build ## every scenario beside its rivals: make lab [ONLY=b,c] [RUNS=5] [RIVALS=libtorrent|none] [SLOWER=2] [KEEP=folder]
	.ci/needs $(NETLAB) $(BESIDE) $(TORRENTS)
	go build -o build/ ./app/trial
	build/trial -only "$(ONLY)" -runs "$(or $(RUNS),1)" -slower "$(or $(SLOWER),1)" -rivals "$(RIVALS)" -keep "$(KEEP)"

bench-ui: build build-window build-tray ## what window and tray promise, as a table and JSON: make bench-ui [ARGS="-minutes 10"]
	.ci/needs $(WINDOW) $(SCREEN)
	CC=clang go build -race -tags desktop,no_metadata -o build/bench-ui/checked ./app/tributary
	CC=clang go build -trimpath -tags desktop,migrated_fynedo -o build/bench-ui/profiled ./app/desktop/benchui/profiled
	go build -o build/bench-ui/benchui ./app/desktop/benchui
	build/bench-ui/benchui -checked build/bench-ui/checked -profiled build/bench-ui/profiled $(ARGS)

fuzz-smoke: ## every fuzz target for FUZZTIME (default 5s)
	.ci/fuzz-smoke $(FUZZTIME)

clean: ## remove what was built
	rm -rf bin build
