// Stands where a function is bound that a benchmark does not measure.

export default {
  fetch(): Response {
    return new Response("{}");
  },
};
