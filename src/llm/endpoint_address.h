// One endpoint of the OpenAI API: its address and key, and how it is called.
#pragma once

#include <string>
#include <vector>

#include "base/secret.h"
#include "llm/endpoint_pool.h"
#include "llm/http_loop.h"

namespace tapir::llm {

struct EndpointAddress {
  std::string base_url;  // "https://api.example.com/v1": check_base_url() has passed it
  Secret api_key;        // leaves in the Authorization header only; may be empty
  EndpointPool::Limits limits;
};

// Error{usage} naming `where`: no http or https address, or one with credentials, a query or a
// fragment (which is then not repeated: it may hold a key). Returns it without a slash at its end.
std::string check_base_url(const std::string& base_url, const std::string& where);

// A GET of a path below the base URL, with the key. A call with a body has to be made a POST.
HttpCall http_call(const EndpointAddress& address, const std::string& path,
                   const HttpDeadlines& deadlines);

// What GET /models says: costs nothing.
struct EndpointLook {
  std::string error;                // why it is of no use; empty: it is well
  std::vector<std::string> models;  // that it offers; an endpoint without such a list has none
  double seconds = 0;
};
// Blocks until the reply or the deadline.
EndpointLook look_at_endpoint(const EndpointAddress& address, const HttpDeadlines& deadlines);

}  // namespace tapir::llm
