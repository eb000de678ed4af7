// What one lane of a subgroup of 8 holds, handed to all: of four rows a vector each, which comes back transposed, one vector
// a column.

alias Quad = mat4x4<f32>;

fn fromLane0(own: Quad) -> Quad {
  return transpose(Quad(
    subgroupBroadcast(own[0], 0u), subgroupBroadcast(own[1], 0u), subgroupBroadcast(own[2], 0u), subgroupBroadcast(own[3], 0u),
  ));
}

fn fromLane1(own: Quad) -> Quad {
  return transpose(Quad(
    subgroupBroadcast(own[0], 1u), subgroupBroadcast(own[1], 1u), subgroupBroadcast(own[2], 1u), subgroupBroadcast(own[3], 1u),
  ));
}

fn fromLane2(own: Quad) -> Quad {
  return transpose(Quad(
    subgroupBroadcast(own[0], 2u), subgroupBroadcast(own[1], 2u), subgroupBroadcast(own[2], 2u), subgroupBroadcast(own[3], 2u),
  ));
}

fn fromLane3(own: Quad) -> Quad {
  return transpose(Quad(
    subgroupBroadcast(own[0], 3u), subgroupBroadcast(own[1], 3u), subgroupBroadcast(own[2], 3u), subgroupBroadcast(own[3], 3u),
  ));
}

fn fromLane4(own: Quad) -> Quad {
  return transpose(Quad(
    subgroupBroadcast(own[0], 4u), subgroupBroadcast(own[1], 4u), subgroupBroadcast(own[2], 4u), subgroupBroadcast(own[3], 4u),
  ));
}

fn fromLane5(own: Quad) -> Quad {
  return transpose(Quad(
    subgroupBroadcast(own[0], 5u), subgroupBroadcast(own[1], 5u), subgroupBroadcast(own[2], 5u), subgroupBroadcast(own[3], 5u),
  ));
}

fn fromLane6(own: Quad) -> Quad {
  return transpose(Quad(
    subgroupBroadcast(own[0], 6u), subgroupBroadcast(own[1], 6u), subgroupBroadcast(own[2], 6u), subgroupBroadcast(own[3], 6u),
  ));
}

fn fromLane7(own: Quad) -> Quad {
  return transpose(Quad(
    subgroupBroadcast(own[0], 7u), subgroupBroadcast(own[1], 7u), subgroupBroadcast(own[2], 7u), subgroupBroadcast(own[3], 7u),
  ));
}
