// Broadcast array, weight or input stationary: the stream reaches every column in its cycle, and
// a tree of registered adders sums a column. Ports as stationary_array, nothing is skewed; a
// preload writes one row of all columns a cycle, from row 0 on. LEAVES: tree leaves a row, each
// adds LANES / LEAVES products inside the element. LATENCY: registers of a product.
module broadcast_array #(
    parameter ROWS = 4, COLUMNS = 4, LANES = 1, HELD = 1, STREAMED = 1, SW = 8, KW = 8, PW = 32,
    parameter LEAVES = 1, LATENCY = 1, LEVELS = 2, SLOTS = 2, SATURATE = 0
) (
    input clk, input reset,
    input valid, input [15:0] slot, input [ROWS*LANES*STREAMED*SW-1:0] stream,
    input load, input load_start, input [15:0] load_slot,
    input [COLUMNS*LANES*HELD*KW-1:0] load_values,
    input [15:0] exit_row,
    output [COLUMNS-1:0] out_valid, output [COLUMNS*HELD*STREAMED*PW-1:0] out
);
    localparam S = LANES*STREAMED*SW, K = LANES*HELD*KW, P = HELD*STREAMED*PW;
    localparam SHARE = LANES / LEAVES, NODES = 1 << LEVELS, W = SW + KW + 34;
    reg [15:0] next_row;
    wire [15:0] load_row = load_start ? 0 : next_row;
    reg [LATENCY+LEVELS-1:0] flags;
    integer n;
    always @(posedge clk) begin
        if (reset) begin next_row <= 0; flags <= 0; end
        else begin
            if (load) next_row <= load_row + 1;
            flags <= {flags, valid};
        end
    end

    genvar i, j, x, y, leaf, level, node;
    generate
        for (j = 0; j < COLUMNS; j = j + 1) begin : column
            wire [K-1:0] held [0:ROWS-1];
            for (i = 0; i < ROWS; i = i + 1) begin : row
                reg [K-1:0] slots [0:SLOTS-1];
                assign held[i] = slots[slot];
                integer s;
                always @(posedge clk)
                    if (reset) for (s = 0; s < SLOTS; s = s + 1) slots[s] <= 0;
                    else if (load && load_row == i && !(valid && slot == load_slot))
                        slots[load_slot] <= load_values[j*K +: K];
            end
            assign out_valid[j] = flags[LATENCY+LEVELS-1];
            for (x = 0; x < HELD; x = x + 1) begin : held_lane
                for (y = 0; y < STREAMED; y = y + 1) begin : stream_lane
                    wire signed [W-1:0] sums [0:LEVELS][0:NODES-1];
                    for (leaf = 0; leaf < NODES; leaf = leaf + 1) begin : product
                        if (leaf >= ROWS*LEAVES) assign sums[0][leaf] = 0;
                        else begin : real_leaf
                            localparam I = leaf / LEAVES, FIRST = (leaf % LEAVES) * SHARE;
                            reg signed [W-1:0] pipe [0:LATENCY-1];
                            reg signed [W-1:0] total;
                            reg signed [SW-1:0] p;
                            reg signed [KW-1:0] q;
                            integer lane, step;
                            always @(posedge clk) begin
                                total = 0;
                                for (lane = FIRST; lane < FIRST + SHARE; lane = lane + 1) begin
                                    p = stream[I*S + (lane*STREAMED+y)*SW +: SW];
                                    q = held[I][(lane*HELD+x)*KW +: KW];
                                    total = total + p * q;
                                end
                                for (step = LATENCY-1; step > 0; step = step - 1)
                                    pipe[step] <= pipe[step-1];
                                pipe[0] <= total;
                            end
                            assign sums[0][leaf] = pipe[LATENCY-1];
                        end
                    end
                    for (level = 0; level < LEVELS; level = level + 1) begin : tree
                        for (node = 0; node < (NODES >> (level+1)); node = node + 1) begin : add
                            reg signed [W-1:0] sum;
                            always @(posedge clk)
                                sum <= sums[level][2*node] + sums[level][2*node+1];
                            assign sums[level+1][node] = sum;
                        end
                    end
                    fit_word #(.WIDE(W), .PW(PW), .SATURATE(SATURATE)) fit (
                        .value(sums[LEVELS][0]),
                        .word(out[j*P + (x*STREAMED+y)*PW +: PW]));
                end
            end
        end
    endgenerate
endmodule
