// What one lane of a subgroup of 4 holds, handed to all: of four rows a vector each, which comes back transposed, one vector
// a column. A quad is the whole subgroup here, and its broadcast the cheaper one.

alias Quad = mat4x4<f32>;

fn fromLane0(own: Quad) -> Quad {
  return transpose(Quad(
    quadBroadcast(own[0], 0u), quadBroadcast(own[1], 0u), quadBroadcast(own[2], 0u), quadBroadcast(own[3], 0u),
  ));
}

fn fromLane1(own: Quad) -> Quad {
  return transpose(Quad(
    quadBroadcast(own[0], 1u), quadBroadcast(own[1], 1u), quadBroadcast(own[2], 1u), quadBroadcast(own[3], 1u),
  ));
}

fn fromLane2(own: Quad) -> Quad {
  return transpose(Quad(
    quadBroadcast(own[0], 2u), quadBroadcast(own[1], 2u), quadBroadcast(own[2], 2u), quadBroadcast(own[3], 2u),
  ));
}

fn fromLane3(own: Quad) -> Quad {
  return transpose(Quad(
    quadBroadcast(own[0], 3u), quadBroadcast(own[1], 3u), quadBroadcast(own[2], 3u), quadBroadcast(own[3], 3u),
  ));
}
