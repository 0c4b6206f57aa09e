// One element of a systolic array whose stationary operand sits in SLOTS registers.
//
// The streamed operand (LANES x STREAMED words) moves right, one register. The partial sums
// (HELD x STREAMED words of PW bits) move down through HOP registers. New stationary values move
// down through the slot register itself: a row takes what the row above pushes out.
module stationary_element #(
    parameter LANES = 1, HELD = 1, STREAMED = 1, SW = 8, KW = 8, PW = 32,
    parameter HOP = 1, SLOTS = 2, SATURATE = 0
) (
    input clk, input reset,
    input valid_in, input [15:0] slot_in, input [LANES*STREAMED*SW-1:0] stream_in,
    output reg valid_out, output reg [15:0] slot_out,
    output reg [LANES*STREAMED*SW-1:0] stream_out,
    input [HELD*STREAMED*PW-1:0] sum_in,
    output [HELD*STREAMED*PW-1:0] sum_out, output sum_valid,
    input take, input [15:0] load_slot, input [LANES*HELD*KW-1:0] value_in,
    output reg taken, output [LANES*HELD*KW-1:0] value_out
);
    reg [LANES*HELD*KW-1:0] slots [0:SLOTS-1];
    reg [HELD*STREAMED*PW-1:0] pipe [0:HOP-1];
    reg pipe_valid [0:HOP-1];
    wire [LANES*HELD*KW-1:0] held = slots[slot_in];
    wire [HELD*STREAMED*PW-1:0] sum_next;

    assign value_out = slots[load_slot];
    assign sum_out = pipe[HOP-1];
    assign sum_valid = pipe_valid[HOP-1];

    genvar x, y;
    generate
        for (x = 0; x < HELD; x = x + 1) begin : held_lane
            for (y = 0; y < STREAMED; y = y + 1) begin : stream_lane
                add_products #(.LANES(LANES), .AW(SW), .AN(STREAMED), .AI(y),
                               .BW(KW), .BN(HELD), .BI(x), .PW(PW), .SATURATE(SATURATE)) add (
                    .a(stream_in), .b(held),
                    .sum_in(sum_in[(x*STREAMED+y)*PW +: PW]),
                    .sum_out(sum_next[(x*STREAMED+y)*PW +: PW]));
            end
        end
    endgenerate

    integer n;
    always @(posedge clk) begin
        if (reset) begin
            valid_out <= 0; taken <= 0; slot_out <= 0; stream_out <= 0;
            for (n = 0; n < SLOTS; n = n + 1) slots[n] <= 0;
            for (n = 0; n < HOP; n = n + 1) begin pipe[n] <= 0; pipe_valid[n] <= 0; end
        end else begin
            valid_out <= valid_in; slot_out <= slot_in; stream_out <= stream_in;
            pipe[0] <= sum_next; pipe_valid[0] <= valid_in;
            for (n = 1; n < HOP; n = n + 1) begin
                pipe[n] <= pipe[n-1]; pipe_valid[n] <= pipe_valid[n-1];
            end
            taken <= take;
            // hold rule: a slot that is in use in this cycle is not written
            if (take && !(valid_in && slot_in == load_slot)) slots[load_slot] <= value_in;
        end
    end
endmodule
