# A short front door; Meson and Ninja do the work (meson.build). `make help` lists the targets.
PREFIX ?= /usr/local
DESTDIR ?=
SECONDS ?= 600
BIN := build/src/cli/plimsoll
export PLIMSOLL_ENGINES ?= $(CURDIR)/engines
step = @printf '\n[%s] %s\n'

.PHONY: run check build engines install uninstall fuzz bench format clean help
.NOTPARALLEL:

help:
	@echo 'make run        install what is missing, build, fetch an engine, and measure a model on it'
	@echo 'make check      the same set-up, then every test; ends with the counts'
	@echo 'make build      the program only: $(BIN)'
	@echo 'make engines    a folder of real engines for tests and first runs: engines/'
	@echo 'make install    PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)'
	@echo 'make uninstall  removes what the last install put there'
	@echo 'make fuzz       every fuzz harness, SECONDS=$(SECONDS) in all (clang)'
	@echo 'make bench      the benchmarks; writes bench/README.md'
	@echo 'make format     clang-format over the sources'
	@echo 'make clean      removes the build folders; engines/ stays'

run:
	$(step) 1/4 'Debian packages'
	@tools/setup build engine
	$(step) 2/4 'build'
	@tools/build build
	$(step) 3/4 'engines'
	@tools/fetch-engines
	$(step) 4/4 'plimsoll try --auto'
	@$(BIN) try --auto

check:
	@tools/check

build:
	$(step) 1/2 'Debian packages'
	@tools/setup build
	$(step) 2/2 'build'
	@tools/build build

engines:
	$(step) 1/2 'Debian packages'
	@tools/setup engine
	$(step) 2/2 'engines'
	@tools/fetch-engines

install:
	@[ -x $(BIN) ] || $(MAKE) --no-print-directory build
	@tools/build build -Dprefix=$(PREFIX)
	@DESTDIR=$(DESTDIR) meson install -C build --no-rebuild

uninstall:
	@tools/uninstall build

fuzz:
	$(step) 1/2 'Debian packages'
	@tools/setup build fuzz
	$(step) 2/2 'fuzz'
	@tools/fuzz $(SECONDS)

bench: build
	@tools/fetch-engines
	@bench/run

format:
	@tools/format

clean:
	rm -rf build build-asan build-fuzz
