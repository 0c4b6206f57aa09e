// Row-stationary sets: chains of PLACES elements for each of ROWS output rows and GROUPS of filters. What place
// 0 does in a cycle, place d does HOP x d cycles later; sums move up, HOP registers a place. Column
// row x GROUPS + group shows what leaves the top of its chain.
module row_array #(
    parameter PLACES = 1, ROWS = 1, GROUPS = 1, COLUMNS = 1, TAPS = 1, INPUTS = 1, FILTERS = 1, SLOTS = 1,
    parameter LATENCY = 1, HOP = 1, BUS = 4, AW = 8, BW = 8, PW = 32, SATURATE = 0
) (
    input clk, input reset,
    input valid, input fresh, input starts, input ends,
    input [15:0] tap, input [15:0] keep, input [15:0] turn, input [15:0] slot,
    input [PLACES*ROWS*AW-1:0] words,
    input [BUS-1:0] load, input [BUS*16-1:0] load_place, input [BUS*16-1:0] load_group,
    input [BUS*16-1:0] load_tap, input [BUS*16-1:0] load_turn, input [15:0] load_slot,
    input [BUS*BW-1:0] load_values,
    input [15:0] exit_row,
    output [COLUMNS-1:0] out_valid, output [COLUMNS*PW-1:0] out
);
    genvar d, j, g;
    generate
        for (d = 0; d < PLACES; d = d + 1) begin : place
            wire p_valid, p_fresh, p_starts, p_ends;
            wire [15:0] p_tap, p_keep, p_turn, p_slot;
            wire [ROWS*AW-1:0] p_words;
            wire [COLUMNS*PW-1:0] top, up;
            wire [COLUMNS-1:0] shows;
            delay_line #(.WIDTH(68 + ROWS*AW), .CYCLES(HOP*d)) skew (
                .clk(clk), .reset(reset),
                .in({valid, fresh, starts, ends, tap, keep, turn, slot, words[d*ROWS*AW +: ROWS*AW]}),
                .out({p_valid, p_fresh, p_starts, p_ends, p_tap, p_keep, p_turn, p_slot, p_words}));
            delay_line #(.WIDTH(COLUMNS*PW), .CYCLES(HOP-1)) climb (
                .clk(clk), .reset(reset), .in(top), .out(up));
            for (j = 0; j < ROWS; j = j + 1) begin : row
                for (g = 0; g < GROUPS; g = g + 1) begin : group
                    wire [PW-1:0] below;
                    if (d == 0) assign below = {PW{1'b0}};
                    else assign below = place[d-1].up[(j*GROUPS+g)*PW +: PW];
                    row_element #(.PLACE(d), .GROUP(g), .TAPS(TAPS), .INPUTS(INPUTS), .FILTERS(FILTERS),
                        .SLOTS(SLOTS), .LATENCY(LATENCY), .BUS(BUS), .AW(AW), .BW(BW), .PW(PW),
                        .SATURATE(SATURATE)) element (
                        .clk(clk), .reset(reset), .valid(p_valid), .fresh(p_fresh), .starts(p_starts),
                        .ends(p_ends), .tap(p_tap), .keep(p_keep), .turn(p_turn), .slot(p_slot),
                        .word(p_words[j*AW +: AW]),
                        .load(load), .load_place(load_place), .load_group(load_group),
                        .load_tap(load_tap), .load_turn(load_turn), .load_slot(load_slot),
                        .load_values(load_values), .below(below),
                        .sum_out(top[(j*GROUPS+g)*PW +: PW]), .sum_valid(shows[j*GROUPS+g]));
                end
            end
        end
        assign out_valid = place[PLACES-1].shows;
        assign out = place[PLACES-1].top;
    endgenerate
endmodule
