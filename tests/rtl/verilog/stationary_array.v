// Systolic array, ROWS x COLUMNS, weight or input stationary. Operands come unskewed; delay lines
// at the edges skew the stream by HOP cycles a row and the preload by one cycle a column.
// exit_row (from 1) is the row under which results leave; ROWS without a bypass.
module stationary_array #(
    parameter ROWS = 4, COLUMNS = 4, LANES = 1, HELD = 1, STREAMED = 1, SW = 8, KW = 8, PW = 32,
    parameter HOP = 1, SLOTS = 2, SATURATE = 0
) (
    input clk, input reset,
    input valid, input [15:0] slot, input [ROWS*LANES*STREAMED*SW-1:0] stream,
    input load, input load_start, input [15:0] load_slot,
    input [COLUMNS*LANES*HELD*KW-1:0] load_values,
    input [15:0] exit_row,
    output [COLUMNS-1:0] out_valid, output [COLUMNS*HELD*STREAMED*PW-1:0] out
);
    localparam S = LANES*STREAMED*SW, K = LANES*HELD*KW, P = HELD*STREAMED*PW;
    wire [S+16:0] across [0:ROWS-1][0:COLUMNS];       // valid, slot, stream
    wire [P-1:0] down [0:ROWS][0:COLUMNS-1];
    wire [K-1:0] value [0:ROWS][0:COLUMNS-1];
    wire [ROWS-1:0] sum_valid [0:COLUMNS-1];
    wire [ROWS-1:0] taken [0:COLUMNS-1];

    genvar i, j;
    generate
        for (i = 0; i < ROWS; i = i + 1) begin : left
            delay_line #(.WIDTH(S+17), .CYCLES(HOP*i)) skew (
                .clk(clk), .reset(reset), .in({valid, slot, stream[i*S +: S]}),
                .out(across[i][0]));
        end
        for (j = 0; j < COLUMNS; j = j + 1) begin : column
            wire enable, start;
            wire [15:0] target;
            wire [P*ROWS-1:0] row_sums;
            delay_line #(.WIDTH(K+18), .CYCLES(j)) skew (
                .clk(clk), .reset(reset), .in({load, load_start, load_slot, load_values[j*K +: K]}),
                .out({enable, start, target, value[0][j]}));
            assign down[0][j] = 0;
            for (i = 0; i < ROWS; i = i + 1) begin : row
                wire above;
                if (i == 0) assign above = 1;
                else assign above = taken[j][i-1] & !start;
                stationary_element #(.LANES(LANES), .HELD(HELD), .STREAMED(STREAMED), .SW(SW),
                    .KW(KW), .PW(PW), .HOP(HOP), .SLOTS(SLOTS), .SATURATE(SATURATE)) element (
                    .clk(clk), .reset(reset),
                    .valid_in(across[i][j][S+16]), .slot_in(across[i][j][S +: 16]),
                    .stream_in(across[i][j][S-1:0]),
                    .valid_out(across[i][j+1][S+16]), .slot_out(across[i][j+1][S +: 16]),
                    .stream_out(across[i][j+1][S-1:0]),
                    .sum_in(down[i][j]), .sum_out(down[i+1][j]), .sum_valid(sum_valid[j][i]),
                    .take(enable & above), .load_slot(target), .value_in(value[i][j]),
                    .taken(taken[j][i]), .value_out(value[i+1][j]));
                assign row_sums[i*P +: P] = down[i+1][j];
            end
            assign out_valid[j] = sum_valid[j][exit_row-1];
            assign out[j*P +: P] = row_sums[(exit_row-1)*P +: P];
        end
    endgenerate
endmodule
