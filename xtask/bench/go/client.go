package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Of each unary call, as the other clients have it.
const timeout = 60 * time.Second

// One that calls again as soon as it has its answer.
type caller struct {
	connection *grpc.ClientConn
	options    options
	units      atomic.Int64
	measuring  atomic.Bool
	latencies  []time.Duration
}

func call(options options) {
	var callers []*caller
	for range options.connections {
		connection, err := grpc.NewClient(options.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			fail(err)
		}
		for range options.inFlight {
			callers = append(callers, &caller{connection: connection, options: options})
		}
	}
	for _, caller := range callers {
		go caller.run()
	}
	time.Sleep(time.Duration(options.warmup * float64(time.Second)))
	for _, caller := range callers {
		caller.measuring.Store(true)
	}
	begin := take(callers, options.serverPid)
	time.Sleep(time.Duration(options.seconds * float64(time.Second)))
	end := take(callers, options.serverPid)
	for _, caller := range callers {
		caller.measuring.Store(false)
	}
	// A caller may be about to note one more.
	time.Sleep(100 * time.Millisecond)
	var all []time.Duration
	for _, caller := range callers {
		all = append(all, caller.latencies...)
	}
	slices.Sort(all)
	fmt.Printf("{\"calls\":%d,\"seconds\":%f,\"client_cpu_ns\":%d,\"server_cpu_ns\":%d,\"p50_ns\":%d,\"p99_ns\":%d,\"p999_ns\":%d,\"client_peak_kib\":%d,\"server_peak_kib\":%d}\n",
		end.units-begin.units, end.at.Sub(begin.at).Seconds(), end.client-begin.client, end.server-begin.server,
		quantile(all, 0.5), quantile(all, 0.99), quantile(all, 0.999), peakMemory(os.Getpid()), peakMemory(options.serverPid))
}

func (c *caller) run() {
	call := c.stream
	if c.options.shape == "unary" || c.options.shape == "large" {
		call = c.unary
	}
	for {
		begin := time.Now()
		if err := call(); err != nil {
			fail(err)
		}
		c.note(begin)
	}
}

func (c *caller) note(begin time.Time) {
	if c.measuring.Load() {
		c.latencies = append(c.latencies, time.Since(begin))
	}
}

func (c *caller) unary() error {
	method := service + "Unary"
	if c.options.shape == "large" {
		method = service + "Large"
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	answer := new(message)
	if err := c.connection.Invoke(ctx, method, &message{Value: payload(c.options.payload)}, answer); err != nil {
		return err
	}
	if len(answer.Value) != c.options.payload {
		return errors.New("a payload of another size came back")
	}
	c.units.Add(1)
	return nil
}

func (c *caller) stream() error {
	streams := map[string]*grpc.StreamDesc{
		"ready": &readyStream, "channel": &channelStream, "download": &downloadStream,
		"upload": &uploadStream, "ping-pong": &pingPongStream,
	}
	description := streams[c.options.shape]
	if description == nil {
		return fmt.Errorf("no shape is called %q", c.options.shape)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := c.connection.NewStream(ctx, description, service+description.StreamName)
	if err != nil {
		return err
	}
	switch c.options.shape {
	case "upload":
		return c.upload(stream)
	case "ping-pong":
		return c.pingPong(stream)
	default:
		return c.receive(stream)
	}
}

func (c *caller) receive(stream grpc.ClientStream) error {
	wanted := &order{Seconds: int64(c.options.messages), Nanos: int32(c.options.payload)}
	if err := stream.SendMsg(wanted); err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		switch err := stream.RecvMsg(new(message)); err {
		case nil:
			c.units.Add(1)
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

func (c *caller) upload(stream grpc.ClientStream) error {
	for range c.options.messages {
		if err := stream.SendMsg(&message{Value: payload(c.options.payload)}); err != nil {
			return err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	if err := stream.RecvMsg(new(message)); err != nil {
		return err
	}
	c.units.Add(int64(c.options.messages))
	return nil
}

func (c *caller) pingPong(stream grpc.ClientStream) error {
	for {
		begin := time.Now()
		if err := stream.SendMsg(&message{Value: payload(c.options.payload)}); err != nil {
			return err
		}
		if err := stream.RecvMsg(new(message)); err != nil {
			return err
		}
		c.units.Add(1)
		c.note(begin)
	}
}
