package api

import (
	"context"

	"github.com/plughost/plughost/host/id"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
	"github.com/plughost/plughost/proto/plughost/host/v1/hostv1connect"
)

// users implements UserService.
type users struct{ host Host }

var _ hostv1connect.UserServiceHandler = (*users)(nil)

// GetUser implements hostv1connect.UserServiceHandler.
func (s *users) GetUser(ctx context.Context, request *hostv1.GetUserRequest) (*hostv1.GetUserResponse, error) {
	user, err := s.host.Users(id.InstanceName(request.Plug)).Get(ctx, request.Id)
	if err != nil {
		return nil, failure(err)
	}
	return &hostv1.GetUserResponse{User: user}, nil
}

// GetUserByUsername implements hostv1connect.UserServiceHandler.
func (s *users) GetUserByUsername(ctx context.Context, request *hostv1.GetUserByUsernameRequest) (*hostv1.GetUserByUsernameResponse, error) {
	user, err := s.host.Users(id.InstanceName(request.Plug)).ByUsername(ctx, request.Username)
	if err != nil {
		return nil, failure(err)
	}
	return &hostv1.GetUserByUsernameResponse{User: user}, nil
}

// IsSelf implements hostv1connect.UserServiceHandler.
func (s *users) IsSelf(ctx context.Context, request *hostv1.IsSelfRequest) (*hostv1.IsSelfResponse, error) {
	is, err := s.host.Users(id.InstanceName(request.Plug)).IsSelf(ctx, request.User)
	if err != nil {
		return nil, failure(err)
	}
	return &hostv1.IsSelfResponse{IsSelf: is}, nil
}

// history implements HistoryService.
type history struct {
	server *Server
	host   Host
}

var _ hostv1connect.HistoryServiceHandler = (*history)(nil)

// ListMessages implements hostv1connect.HistoryServiceHandler.
func (s *history) ListMessages(ctx context.Context, request *hostv1.ListMessagesRequest) (*hostv1.ListMessagesResponse, error) {
	c, err := ParseChannel(request.Channel)
	if err != nil {
		return nil, err
	}
	list, err := s.host.History(c.Plug).Messages(ctx, c.Source, request.Before, int(request.Limit))
	if err != nil {
		return nil, failure(err)
	}
	response := &hostv1.ListMessagesResponse{}
	for _, d := range list {
		response.Messages = append(response.Messages, s.server.delivery(s.host, d))
	}
	return response, nil
}

// GetMessage implements hostv1connect.HistoryServiceHandler.
func (s *history) GetMessage(ctx context.Context, request *hostv1.GetMessageRequest) (*hostv1.GetMessageResponse, error) {
	c, err := ParseChannel(request.Channel)
	if err != nil {
		return nil, err
	}
	d, err := s.host.History(c.Plug).Message(ctx, c.Source, request.Message)
	if err != nil {
		return nil, failure(err)
	}
	return &hostv1.GetMessageResponse{Message: s.server.delivery(s.host, d)}, nil
}
