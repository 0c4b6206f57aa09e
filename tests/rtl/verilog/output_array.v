// Output-stationary array. SYSTOLIC: a moves right one register a column, b down HOP registers a
// row, both skewed at the edges by delay lines; otherwise both reach every element at once.
// used: rows in use; they alone multiply. first and ends (the sum ends with this cycle) go with a.
// Results leave under exit_row (from 1): DOUBLE shows the element's own second register there,
// otherwise a register under the column takes the sum.
module output_array #(
    parameter ROWS = 4, COLUMNS = 4, LANES = 1, WIDE = 1, AW = 8, BW = 8, PW = 32,
    parameter HOP = 1, LATENCY = 1, DOUBLE = 1, SYSTOLIC = 1, SATURATE = 0
) (
    input clk, input reset,
    input mac, input first, input ends, input [15:0] used,
    input [ROWS*LANES*AW-1:0] a, input [COLUMNS*LANES*WIDE*BW-1:0] b,
    input [15:0] exit_row,
    output [COLUMNS-1:0] out_valid, output [COLUMNS*WIDE*PW-1:0] out
);
    localparam A = LANES*AW, B = LANES*WIDE*BW, P = WIDE*PW;
    wire [A+17:0] across [0:ROWS-1][0:COLUMNS];        // mac, first, rows in use at the end, a
    wire [B-1:0] down [0:ROWS][0:COLUMNS-1];

    genvar i, j;
    generate
        for (i = 0; i < ROWS; i = i + 1) begin : left
            wire active = i < used;
            delay_line #(.WIDTH(A+18), .CYCLES(SYSTOLIC ? HOP*i : 0)) skew (
                .clk(clk), .reset(reset),
                .in({mac & active, first, ends & active ? used : 16'd0, a[i*A +: A]}),
                .out(across[i][0]));
            for (j = 0; j < COLUMNS; j = j + 1) begin : right
                delay_line #(.WIDTH(A+18), .CYCLES(SYSTOLIC ? 1 : 0)) hop (
                    .clk(clk), .reset(reset), .in(across[i][j]), .out(across[i][j+1]));
            end
        end
        for (j = 0; j < COLUMNS; j = j + 1) begin : column
            wire [ROWS-1:0] completes, full, shift;
            wire [P*ROWS-1:0] drain;
            wire ended = |completes;
            reg ended_before, shown_valid;
            reg [P-1:0] shown;
            wire go = DOUBLE ? ended_before : ended;
            wire leaves = (go | shift[exit_row-1]) & full[exit_row-1];
            wire [P-1:0] leaving = drain[(exit_row-1)*P +: P];
            always @(posedge clk) begin
                ended_before <= reset ? 1'b0 : ended;
                shown_valid <= reset ? 1'b0 : leaves;
                shown <= leaving;
            end
            assign out_valid[j] = DOUBLE ? leaves : shown_valid;
            assign out[j*P +: P] = DOUBLE ? leaving : shown;
            delay_line #(.WIDTH(B), .CYCLES(SYSTOLIC ? j : 0)) skew (
                .clk(clk), .reset(reset), .in(b[j*B +: B]), .out(down[0][j]));
            for (i = 0; i < ROWS; i = i + 1) begin : row
                wire [15:0] done;
                wire moves, full_above;
                wire [P-1:0] drain_above;
                if (i == 0) begin : top
                    assign moves = 0;
                    assign full_above = 0;
                    assign drain_above = 0;
                end else begin : below
                    assign moves = go | shift[i-1];
                    assign full_above = full[i-1];
                    assign drain_above = drain[(i-1)*P +: P];
                end
                assign completes[i] = done == i + 1;
                delay_line #(.WIDTH(B), .CYCLES(SYSTOLIC ? HOP : 0)) hop (
                    .clk(clk), .reset(reset), .in(down[i][j]), .out(down[i+1][j]));
                output_element #(.LANES(LANES), .WIDE(WIDE), .AW(AW), .BW(BW), .PW(PW),
                    .LATENCY(LATENCY), .DOUBLE(DOUBLE), .SATURATE(SATURATE)) element (
                    .clk(clk), .reset(reset),
                    .mac(across[i][j][A+17]), .first(across[i][j][A+16]),
                    .ends(across[i][j][A +: 16]), .a(across[i][j][A-1:0]), .b(down[i][j]),
                    .done(done), .go(go), .moves(moves), .shift(shift[i]),
                    .drain_in(drain_above), .full_in(full_above),
                    .drain_out(drain[i*P +: P]), .full_out(full[i]));
            end
        end
    endgenerate
endmodule
