package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"

	"google.golang.org/grpc"
)

func serve() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	fmt.Printf("listening %s\n", listener.Addr())
	// No server outlives whoever started it.
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	server := grpc.NewServer()
	server.RegisterService(&description, nil)
	fail(server.Serve(listener))
}

var description = grpc.ServiceDesc{
	ServiceName: "bench.Echo",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{
		{MethodName: "Unary", Handler: unary},
		{MethodName: "Large", Handler: unary},
	},
	Streams: []grpc.StreamDesc{
		streamOf(readyStream, ready),
		streamOf(channelStream, channel),
		streamOf(downloadStream, ready),
		streamOf(uploadStream, upload),
		streamOf(pingPongStream, pingPong),
	},
}

func streamOf(stream grpc.StreamDesc, handler grpc.StreamHandler) grpc.StreamDesc {
	stream.Handler = handler
	return stream
}

func unary(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	request := new(message)
	if err := decode(request); err != nil {
		return nil, err
	}
	return request, nil
}

func ready(_ any, stream grpc.ServerStream) error {
	wanted := new(order)
	if err := stream.RecvMsg(wanted); err != nil {
		return err
	}
	for range wanted.Seconds {
		if err := stream.SendMsg(&message{Value: payload(int(wanted.Nanos))}); err != nil {
			return err
		}
	}
	return nil
}

func channel(_ any, stream grpc.ServerStream) error {
	wanted := new(order)
	if err := stream.RecvMsg(wanted); err != nil {
		return err
	}
	messages := make(chan *message, 64)
	go func() {
		defer close(messages)
		for range wanted.Seconds {
			select {
			case messages <- &message{Value: payload(int(wanted.Nanos))}:
			case <-stream.Context().Done():
				return
			}
		}
	}()
	for next := range messages {
		if err := stream.SendMsg(next); err != nil {
			return err
		}
	}
	return nil
}

func upload(_ any, stream grpc.ServerStream) error {
	for {
		switch err := stream.RecvMsg(new(message)); err {
		case nil:
		case io.EOF:
			return stream.SendMsg(new(message))
		default:
			return err
		}
	}
}

func pingPong(_ any, stream grpc.ServerStream) error {
	for {
		request := new(message)
		switch err := stream.RecvMsg(request); err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
		if err := stream.SendMsg(request); err != nil {
			return err
		}
	}
}
