// One element of a row-stationary set: filter words in SLOTS scratchpads, input words, sums.
//
// valid: multiply the filter word (slot, tap, turn) with the input word at keep, which fresh replaces first;
// starts, ends: the product begins, completes this element's part of sum number turn. The part joins the sum
// from below LATENCY cycles later (the foot of a chain has none). Filter words come on BUS lanes to the
// element's place and group.
module row_element #(
    parameter PLACE = 0, GROUP = 0, TAPS = 1, INPUTS = 1, FILTERS = 1, SLOTS = 1, LATENCY = 1, BUS = 4,
    parameter AW = 8, BW = 8, PW = 32, SATURATE = 0
) (
    input clk, input reset,
    input valid, input fresh, input starts, input ends,
    input [15:0] tap, input [15:0] keep, input [15:0] turn, input [15:0] slot, input [AW-1:0] word,
    input [BUS-1:0] load, input [BUS*16-1:0] load_place, input [BUS*16-1:0] load_group,
    input [BUS*16-1:0] load_tap, input [BUS*16-1:0] load_turn, input [15:0] load_slot,
    input [BUS*BW-1:0] load_values,
    input signed [PW-1:0] below,
    output reg signed [PW-1:0] sum_out, output reg sum_valid
);
    reg [BW-1:0] filters [0:SLOTS*TAPS*FILTERS-1];
    reg [AW-1:0] inputs [0:INPUTS-1];
    reg signed [PW-1:0] sums [0:FILTERS-1];
    wire signed [PW-1:0] base = starts ? {PW{1'b0}} : sums[turn];
    wire signed [PW-1:0] next, joined;
    wire signed [PW-1:0] part;
    wire part_valid, part_ends;
    wire [15:0] part_turn;

    add_products #(.AW(AW), .BW(BW), .PW(PW), .SATURATE(SATURATE)) add (
        .a(fresh ? word : inputs[keep]), .b(filters[(slot*TAPS + tap)*FILTERS + turn]),
        .sum_in(base), .sum_out(next));
    delay_line #(.WIDTH(PW+18), .CYCLES(LATENCY-1)) stages (
        .clk(clk), .reset(reset), .in({next, valid, ends, turn}),
        .out({part, part_valid, part_ends, part_turn}));
    generate
        if (PLACE == 0) assign joined = part;
        else begin : chain
            fit_word #(.WIDE(PW+2), .PW(PW), .SATURATE(SATURATE)) fit (
                .value({{2{part[PW-1]}}, part} + {{2{below[PW-1]}}, below}), .word(joined));
        end
    endgenerate

    integer n;
    always @(posedge clk) begin
        if (reset) begin
            sum_out <= 0; sum_valid <= 0;
            for (n = 0; n < SLOTS*TAPS*FILTERS; n = n + 1) filters[n] <= 0;
            for (n = 0; n < INPUTS; n = n + 1) inputs[n] <= 0;
            for (n = 0; n < FILTERS; n = n + 1) sums[n] <= 0;
        end else begin
            if (valid && fresh) inputs[keep] <= word;
            if (part_valid) sums[part_turn] <= part;
            sum_out <= joined;
            sum_valid <= part_valid & part_ends;
            for (n = 0; n < BUS; n = n + 1)
                if (load[n] && load_place[n*16 +: 16] == PLACE && load_group[n*16 +: 16] == GROUP)
                    filters[(load_slot*TAPS + load_tap[n*16 +: 16])*FILTERS + load_turn[n*16 +: 16]]
                        <= load_values[n*BW +: BW];
        end
    end
endmodule
