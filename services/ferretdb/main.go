// Command ferretdb serves the MongoDB wire protocol from SQLite files in one directory.
//
// It is meant for one machine's tests and demo, so it listens on 127.0.0.1 only. Clients have to log in if
// FERRETDB_SETUP_USERNAME and FERRETDB_SETUP_PASSWORD are set: not by flags, which anybody on the machine can read. With
// -tls-cert and -tls-key it speaks TLS and nothing else.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	port := flag.Int("port", 0, "port to listen on")
	data := flag.String("data", "", "directory of the SQLite files, made if it is missing")
	cert := flag.String("tls-cert", "", "file of a certificate, for TLS")
	key := flag.String("tls-key", "", "file of its private key")
	flag.Parse()

	if *port == 0 || *data == "" {
		return errors.New("both -port and -data are needed")
	}

	directory, err := filepath.Abs(*data)
	if err != nil {
		return err
	}

	if err = os.MkdirAll(directory, 0o700); err != nil {
		return err
	}

	// Commands are logged at debug level: too much to keep for millions of writes.
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(*port))
	listener := ferretdb.ListenerConfig{TCP: address}

	if *cert != "" {
		listener = ferretdb.ListenerConfig{TLS: address, TLSCertFile: *cert, TLSKeyFile: *key}
	}

	// The embedded package has telemetry off by itself.
	database, err := ferretdb.New(&ferretdb.Config{
		Listener: listener,
		Logger:   logger,
		Handler:  "sqlite",
		// As MongoDB does by default: what is acknowledged survives the process being killed, not a power cut.
		SQLiteURL: "file:" + directory + "/?_pragma=synchronous(normal)",

		SetupUsername: os.Getenv("FERRETDB_SETUP_USERNAME"),
		SetupPassword: os.Getenv("FERRETDB_SETUP_PASSWORD"),
	})
	if err != nil {
		return err
	}

	// The port is bound by now: whoever connects to it meets this process, not another.
	fmt.Fprintln(os.Stderr, "ready")

	return database.Run(ctx)
}
