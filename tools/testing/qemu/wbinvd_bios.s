# SPDX-License-Identifier: GPL-2.0
#
# A guest without an operating system, for VMMs that take a 64 KiB BIOS image:
# 16-bit code that obeys single letters from COM1.
#
#	on reset	says R
#	w		executes WBINVD 100 times, says w
#	l		goes on doing so for ever, saying l each time
#	r		resets the machine
#	u		powers off the slot of the PCIe root port 00:04.0, by which a guest
#			agrees to the removal of what is in it, says u

	.set	COM1, 0x3f8
	.set	COM1_LSR, COM1 + 5
	.set	LSR_DATA, 0x01		# a byte was received
	.set	LSR_EMPTY, 0x20		# the next can be sent
	.set	RESET_CONTROL, 0xcf9
	.set	HARD_RESET, 0x06
	.set	CONFIG_ADDRESS, 0xcf8
	.set	CONFIG_DATA, 0xcfc
	.set	ROOT_PORT, 0x80002000	# enabled, 00:04.0
	.set	CAPABILITIES, 0x34
	.set	CAP_EXPRESS, 0x10
	.set	SLOT_CONTROL, 0x18	# in that capability
	.set	SLOT_OFF, 0x0700	# power controller and indicator

	.code16
	.text
	.globl	_start
_start:
	cli
	xor	%ax, %ax
	mov	%ax, %ss
	mov	$0x7c00, %sp
	mov	$'R', %al
	call	say

command:
	mov	$COM1_LSR, %dx
	in	%dx, %al
	test	$LSR_DATA, %al
	jz	command
	mov	$COM1, %dx
	in	%dx, %al
	cmp	$'w', %al
	je	once
	cmp	$'l', %al
	je	for_ever
	cmp	$'u', %al
	je	power_off
	cmp	$'r', %al
	jne	command
	mov	$RESET_CONTROL, %dx
	mov	$HARD_RESET, %al
	out	%al, %dx
stop:	hlt
	jmp	stop

once:
	call	flush
	call	say
	jmp	command

for_ever:
	call	flush
	call	say
	jmp	for_ever

power_off:
	mov	$CAPABILITIES, %bl
	call	config
	inl	%dx, %eax
1:	mov	%al, %bl
	call	config
	inl	%dx, %eax
	cmp	$CAP_EXPRESS, %al
	mov	%ah, %al
	jne	1b
	add	$SLOT_CONTROL, %bl
	call	config
	mov	$SLOT_OFF, %ax
	outw	%ax, %dx
	mov	$'u', %al
	call	say
	jmp	command

# Makes %dx the port of the root port's configuration register %bl
config:
	mov	$ROOT_PORT, %eax
	mov	%bl, %al
	mov	$CONFIG_ADDRESS, %dx
	outl	%eax, %dx
	mov	$CONFIG_DATA, %dx
	ret

flush:
	mov	$100, %cx
1:	wbinvd
	loop	1b
	ret

# Sends %al and leaves it as it is
say:
	mov	%al, %ah
	mov	$COM1_LSR, %dx
1:	in	%dx, %al
	test	$LSR_EMPTY, %al
	jz	1b
	mov	$COM1, %dx
	mov	%ah, %al
	out	%al, %dx
	ret

# The first instruction after reset is 16 bytes below the end
	.org	0xfff0
	jmp	_start
	.org	0x10000
