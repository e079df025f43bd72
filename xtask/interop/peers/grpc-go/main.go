// Runs one case of those that the official ones leave open, on grpc-go; exit code 0 means that it passed.
//
// client --server_host=H --server_port=P --test_case=NAME
// [--use_tls=true --ca_file=FILE --server_host_override=NAME]
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// Ten times what anything here takes on a slow machine; what hangs goes past it.
const promptly = 5 * time.Second

var cases = map[string]func(context.Context, *grpc.ClientConn) error{
	"trunkline_metadata":        metadataCase,
	"trunkline_status_messages": statusMessages,
	"trunkline_status_details":  statusDetails,
	"trunkline_early_answer":    earlyAnswer,
	"trunkline_first_reply":     firstReply,
	"trunkline_deadlines":       deadlines,
}

func main() {
	log.SetFlags(0)
	host := flag.String("server_host", "127.0.0.1", "")
	port := flag.Int("server_port", 0, "")
	name := flag.String("test_case", "", "")
	useTLS := flag.Bool("use_tls", false, "")
	ca := flag.String("ca_file", "", "")
	override := flag.String("server_host_override", "", "")
	flag.Parse()
	run, found := cases[*name]
	if !found {
		log.Fatalf("no case %q", *name)
	}
	transport := insecure.NewCredentials()
	if *useTLS {
		var err error
		if transport, err = credentials.NewClientTLSFromFile(*ca, *override); err != nil {
			log.Fatal(err)
		}
	}
	target := fmt.Sprintf("%s:%d", *host, *port)
	channel, err := grpc.NewClient(target, grpc.WithTransportCredentials(transport), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(raw{})))
	if err != nil {
		log.Fatal(err)
	}
	defer channel.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := run(ctx, channel); err != nil {
		log.Fatalf("%s: %v", *name, err)
	}
}
